/** Something at a live server that stops clients, and its cure. */
export interface Finding {
  /** A name for programs, such as `token_body_lost`. It stays the same from release to release. */
  readonly code: string
  /** The check that found it, as the doctor prints it. */
  readonly check: string
  /** The URL at which it shows. */
  readonly url: string
  /** What is wrong: what was seen, and what should be there. */
  readonly problem: string
  /** The clients that cannot connect, or cannot do all they should. */
  readonly stops: readonly string[]
  /** What to change, and where. */
  readonly cure: string
}

/** How the doctor examines a server. */
export interface CheckOptions {
  /**
   * The address to which every request is sent in place of the one in the URL, as a proxy in front of the host does: it sets
   * `Host` and `X-Forwarded-Proto`. For a test that starts the host with its public issuer on a port of this machine.
   */
  readonly at?: string | undefined
  /** Also registers clients, as Claude Code, Cursor and hosted agents do, and deletes them again. Default false. */
  readonly register?: boolean | undefined
  /** How long each request may take, in milliseconds; default 10,000, which is what hosted agents wait. */
  readonly timeoutMs?: number | undefined
}

/** One check and its outcome. */
export interface CheckResult {
  readonly name: string
  readonly result: 'ok' | 'findings' | 'skipped'
}

/** Something that a host may want to know, and that stops no client. */
export interface Note {
  readonly check: string
  readonly text: string
}

/** What a finding says beside the check that found it. */
export type Found = Omit<Finding, 'check'>

/** Collects what the checks find. */
export class Chart {
  readonly checks: CheckResult[] = []
  readonly findings: Finding[] = []
  readonly notes: Note[] = []

  /** Runs one check under a name. */
  async run<T>(name: string, check: (report: Report) => Promise<T>): Promise<T> {
    const before = this.findings.length
    const result = await check({
      finding: found => {
        // One fault may show at several places of the same kind.
        if (!this.findings.some(({ code, problem }) => code === found.code && problem === found.problem))
          this.findings.push({ ...found, check: name })
      },
      note: text => {
        this.notes.push({ check: name, text })
      },
    })
    this.checks.push({ name, result: this.findings.length > before ? 'findings' : 'ok' })
    return result
  }

  /** Says that checks could not be made. */
  skip(names: readonly string[]): void {
    for (const name of names) this.checks.push({ name, result: 'skipped' })
  }
}

/** Where one check reports. */
export interface Report {
  finding(found: Found): void
  note(text: string): void
}

export const EVERY_CLIENT: readonly string[] = ['every client']
export const AGENTS: readonly string[] = ['Claude', 'ChatGPT', 'VS Code', 'Cursor', 'the MCP SDKs']
export const PAGES: readonly string[] = ['clients in a web page, such as the MCP Inspector']
