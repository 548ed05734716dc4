import { FLOWS, type Flow, type FlowName, type Load, load } from './flows.ts'
import {
  type BenchServer,
  type Format,
  type Framework,
  type ServerKind,
  type StoreName,
  startServer,
  stopServer,
} from './servers.ts'

/** What is measured: a flow on our server, beside something else in turns. */
export interface RowPlan {
  readonly name: string
  readonly kind: ServerKind
  readonly flow: FlowName
  /** The least share; null: there is none to reach. */
  readonly target: number | null
  /** What stands beside it. Default: the same flow over bare routes of the same framework, with one round trip to the same store. */
  readonly beside?: { readonly flow?: FlowName; readonly liveGrants?: number }
}

/** The figures of one flow. Times are of our side: processor time in microseconds, latencies in milliseconds. */
export interface Row {
  readonly name: string
  /** The processor time of what stands beside it, divided by ours. */
  readonly share: number
  readonly target: number | null
  readonly cpuMicros: number
  /** How much more of it ours takes than what stands beside it. */
  readonly beyondMicros: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Turns {
  readonly rounds: number
  readonly seconds: number
}

type Targets = Partial<Readonly<Record<FlowName, number | null>>>

/** The share that each flow must reach, by where it runs. */
const TARGETS: readonly { readonly framework: Framework; readonly store: StoreName; readonly targets: Targets }[] = [
  {
    framework: 'fastify',
    store: 'memory',
    targets: {
      'client credentials': 0.6,
      introspection: 0.65,
      bearer: 0.8,
      refresh: 0.45,
      'code flow': 0.38,
      'code flow with consent': 0.25,
    },
  },
  {
    framework: 'express',
    store: 'memory',
    targets: {
      'client credentials': 0.95,
      introspection: 0.95,
      bearer: 0.95,
      refresh: 0.85,
      'code flow': 0.8,
      'code flow with consent': 0.7,
    },
  },
  {
    framework: 'fastify',
    store: 'redis',
    targets: { 'client credentials': 0.5, introspection: 0.72, bearer: 0.9, refresh: 0.33, 'code flow': 0.28 },
  },
  {
    framework: 'fastify',
    store: 'postgres',
    targets: { 'client credentials': null, introspection: null, bearer: null, refresh: null, 'code flow': null },
  },
]

/** Each refusal, beside what it would have been: it may cost no more. */
const REFUSALS: readonly (readonly [FlowName, FlowName])[] = [
  ['wrong secret', 'client credentials'],
  ['wrong code', 'refresh'],
  ['wrong refresh token', 'refresh'],
  ['malformed token, introspected', 'introspection'],
  ['malformed bearer token', 'bearer'],
]

/** Every row but those of live grants, as far as their servers are there. */
export function allRows(): readonly RowPlan[] {
  const flows = TARGETS.flatMap(({ framework, store, targets }) =>
    Object.entries(targets).map(([flow, target]) =>
      row(flow as FlowName, { target, kind: { side: 'ours', framework, store, format: 'opaque' } }),
    ),
  )
  const jwts = (
    [
      ['ES256', 0.75],
      ['RS256', 0.88],
    ] as const
  ).map(([format, target]) => row('client credentials', { target, kind: { ...MEMORY, format } }))
  const refusals = REFUSALS.map(([flow, accepted]) => ({
    ...row(flow, { target: 1, kind: MEMORY }),
    name: `${flow}, beside ${accepted}`,
    beside: { flow: accepted },
  }))
  const bound = {
    ...row('bound token', { target: 0.7, kind: MEMORY }),
    name: 'bound token, beside bearer and one verification of ES256: at most 60 µs more',
    beside: { flow: 'bearer and a verification' as const },
  }
  const available = { memory: true, redis: process.env.REDIS_URL, postgres: process.env.POSTGRES_URL }
  return [...flows, ...jwts, bound, ...refusals].filter(({ kind }) => available[kind.store])
}

/** Rows of a store that holds many live grants, beside one that holds a thousand. */
export function rowsOfLiveGrants(counts: readonly number[]): readonly RowPlan[] {
  return counts.flatMap(liveGrants =>
    (['client credentials', 'introspection', 'bearer', 'refresh'] as const).map(flow => ({
      ...row(flow, { target: 0.95, kind: { ...MEMORY, liveGrants } }),
      name: `${flow} among ${liveGrants} live grants, beside 1000`,
      beside: { liveGrants: 1000 },
    })),
  )
}

const MEMORY: ServerKind = { side: 'ours', framework: 'fastify', store: 'memory', format: 'opaque' }

function row(flow: FlowName, { kind, target }: Pick<RowPlan, 'kind' | 'target'>): RowPlan {
  const { format, framework, store } = kind
  const jwt = (format: Format) => (format === 'opaque' ? '' : `, JWT, ${format}`)
  return { name: `${framework}, ${store}: ${flow}${jwt(format)}`, kind, flow, target }
}

export async function runRow({ beside, flow, kind, name, target }: RowPlan, turns: Turns): Promise<Row> {
  const other: ServerKind = beside
    ? { ...kind, ...(beside.liveGrants && { liveGrants: beside.liveGrants }) }
    : { ...kind, side: 'bare' }
  const servers = await Promise.all([startServer(other), startServer(kind)])
  try {
    const rounds = await inTurns(
      servers.map((server, index) => ({ server, flow: FLOWS[(index === 0 && beside?.flow) || flow] })),
      turns,
    )
    const ours = rounds.flatMap(([, ours]) => ours ?? [])
    const latencies = ours.flatMap(({ latencies }) => latencies)
    return {
      name,
      target,
      share: median(rounds.map(([other, ours]) => (other?.cpuMicros ?? Number.NaN) / (ours?.cpuMicros ?? Number.NaN))),
      cpuMicros: median(ours.map(({ cpuMicros }) => cpuMicros)),
      beyondMicros: median(rounds.map(([other, ours]) => (ours?.cpuMicros ?? Number.NaN) - (other?.cpuMicros ?? Number.NaN))),
      p50Ms: median(latencies),
      p99Ms: quantile(latencies, 0.99),
    }
  } finally {
    await Promise.all(servers.map(stopServer))
  }
}

/** Until the compiler has optimised what is hot: a cold server costs twice as much, and ours has more code than a bare one. */
const WARM_UP_SECONDS = 2

/** The loads of several servers, round by round. They take turns, so that a machine that slows down slows all of them. */
export async function inTurns(
  sides: readonly { readonly server: BenchServer; readonly flow: Flow }[],
  { rounds, seconds }: Turns,
): Promise<readonly (readonly Load[])[]> {
  for (const { flow, server } of sides) await load(server, flow, WARM_UP_SECONDS)
  const loads: (readonly Load[])[] = []
  for (let round = 0; round < rounds; round++) {
    // Each goes first every other time.
    const order = round % 2 === 0 ? sides : sides.toReversed()
    const turn: Load[] = []
    for (const { flow, server } of order) turn.push(await load(server, flow, seconds))
    loads.push(round % 2 === 0 ? turn : turn.toReversed())
  }
  return loads
}

export function formatRow({ beyondMicros, cpuMicros, name, p50Ms, p99Ms, share, target }: Row): string {
  const goal = target === null ? '' : ` (target ${target.toFixed(2)})`
  const latency = `median ${p50Ms.toFixed(2)} ms, 99th percentile ${p99Ms.toFixed(2)} ms`
  return `${name}: share ${share.toFixed(2)}${goal}, ${cpuMicros.toFixed(1)} µs of processor time, ${beyondMicros.toFixed(1)} more, ${latency}`
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}

function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}
