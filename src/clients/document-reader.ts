import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { OutboundError } from '../outbound/outbound-url.ts'

/** The most bytes of a document. */
export const MAX_DOCUMENT_BYTES = 5 * 1024
/** How long reading one may take, in milliseconds. */
export const DOCUMENT_TIMEOUT_MS = 5000

/** How long a document is believed: what its `max-age` says, within these bounds, in milliseconds. */
const FRESH_MS = { least: 300_000, most: 86_400_000, unsaid: 3_600_000 }
/** What reading a document came to. */
export type Outcome = { readonly document: unknown; readonly freshMs: number } | { readonly problem: string }

/** Fetches documents, each once at a time. */
export interface DocumentReader {
  /** Whether this document is being fetched at the moment. */
  isReading(url: string): boolean
  /**
   * Fetches a document, or joins whoever is fetching it. `count` is called once for each fetch, before it. Rejects as `count` does,
   * and never for what the document's server answers.
   */
  read(url: string, count: () => Promise<unknown>): Promise<Outcome>
  /** Whether this document is not to be tried again yet. */
  isPaused(url: string, now: EpochMs): boolean
  pause(url: string, until: EpochMs): void
}

export function createDocumentReader(outbound: () => Promise<Outbound>): DocumentReader {
  const underWay = new Map<string, Promise<Outcome>>()
  const paused = new TtlCache<true>(1000)
  return {
    isReading: url => underWay.has(url),
    read(url, count) {
      const reading =
        underWay.get(url) ??
        count()
          .then(outbound)
          .then(client => fetchDocument(url, client))
          .finally(() => underWay.delete(url))
      underWay.set(url, reading)
      return reading
    },
    isPaused: (url, now) => paused.get(url, now) === true,
    pause: (url, until) => paused.set(url, true, until),
  }
}

async function fetchDocument(url: string, outbound: Outbound): Promise<Outcome> {
  try {
    const response = await outbound.fetch(url, { headers: { accept: 'application/json' } })
    if (response.status !== 200) return { problem: `its URL answered ${response.status}, and must answer 200` }
    const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
    if (!/^application\/([\w.-]+\+)?json$/.test(type)) return { problem: 'its content type must be application/json' }
    return { document: JSON.parse(await response.text()), freshMs: freshMs(response.headers) }
  } catch (error) {
    if (error instanceof OutboundError) return { problem: PROBLEMS[error.reason] }
    if (error instanceof SyntaxError) return { problem: 'it is not JSON' }
    throw error
  }
}

/** One text for both: it does not tell whether a name exists in a private network. */
const NO_ANSWER = 'its URL does not answer, or is not one that this server may call'

/** Said to the client's developer, and to nobody more than is known outside: not which address a name has, nor which error came. */
const PROBLEMS: Readonly<Record<OutboundError['reason'], string>> = {
  refused: NO_ANSWER,
  timeout: `its URL did not answer within ${DOCUMENT_TIMEOUT_MS / 1000} seconds`,
  too_large: `it has more than ${MAX_DOCUMENT_BYTES} bytes`,
  redirect: 'its URL answered with a redirect, which is not followed',
  network: NO_ANSWER,
}

function freshMs(headers: Headers): number {
  const control = headers.get('cache-control')?.toLowerCase() ?? ''
  if (/\bno-(store|cache)\b/.test(control)) return FRESH_MS.least
  const seconds = /(?:^|[ ,])max-age="?(\d{1,9})/.exec(control)?.[1]
  return seconds === undefined ? FRESH_MS.unsaid : Math.min(Math.max(Number(seconds) * 1000, FRESH_MS.least), FRESH_MS.most)
}
