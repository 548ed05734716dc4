/** The names of findings, for programs. They stay the same from release to release; docs/doctor.md explains each. */
export type FindingCode =
  | 'route_not_found'
  | 'route_open'
  | 'route_redirects'
  | 'route_not_401'
  | 'route_failed'
  | 'challenge_missing'
  | 'challenge_without_metadata'
  | 'wrong_issuer'
  | 'authorization_lost'
  | 'token_check_failed'
  | 'resource_metadata_missing'
  | 'resource_metadata_unusual'
  | 'resource_mismatch'
  | 'resource_lists_openid_scopes'
  | 'resource_without_header'
  | 'no_authorization_server'
  | 'metadata_redirected'
  | 'metadata_not_json'
  | 'metadata_type'
  | 'metadata_cached'
  | 'metadata_cors'
  | 'server_metadata_missing'
  | 'server_metadata_place_missing'
  | 'server_metadata_differ'
  | 'issuer_mismatch'
  | 'issuer_insecure'
  | 'endpoints_elsewhere'
  | 'no_s256'
  | 'no_code'
  | 'no_none'
  | 'route_preflight'
  | 'route_preflight_guarded'
  | 'route_401_cors'
  | 'route_challenge_hidden'
  | 'authorize_unnamed'
  | 'authorize_missing'
  | 'authorize_redirects'
  | 'authorize_open_redirect'
  | 'authorize_failed'
  | 'page_policy'
  | 'login_missing'
  | 'cookie_insecure'
  | 'cookie_strict'
  | 'token_unnamed'
  | 'token_missing'
  | 'token_redirects'
  | 'token_unanswered'
  | 'token_body_lost'
  | 'token_not_oauth'
  | 'token_cacheable'
  | 'token_authorization_lost'
  | 'token_cors'
  | 'registration_missing'
  | 'registration_redirects'
  | 'registration_refused'
  | 'registration_answer'
  | 'registration_left'
  | 'registration_cors'
  | 'loopback_port'
  | 'keys_missing'
  | 'userinfo_not_guarded'
  | 'client_kept_out'

/** Something at a live server that stops clients, and its cure. */
export interface Finding {
  /** What kind of fault it is. */
  readonly code: FindingCode
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
export class Results {
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

/** Reports something that is wrong with an endpoint. */
export type Fault = (code: FindingCode, problem: string, cure: string) => void

export const EVERY_CLIENT: readonly string[] = ['every client']
export const AGENTS: readonly string[] = ['Claude', 'ChatGPT', 'VS Code', 'Cursor', 'the MCP SDKs']
export const PAGES: readonly string[] = ['clients in a web page, such as the MCP Inspector']
