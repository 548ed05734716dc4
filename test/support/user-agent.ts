/** A user's browser, as far as a sign-in at a relying party needs one. */
export class UserAgent {
  readonly #issuer: string
  readonly #consent: 'granted' | 'denied'
  readonly #cookies = new Map<string, Map<string, string>>()

  /** Of a user who is signed in at the host (`session=anna`) and gives this answer where our server asks for consent. */
  constructor(
    issuer: string,
    { user = 'anna', consent = 'granted' }: { readonly user?: string; readonly consent?: 'granted' | 'denied' } = {},
  ) {
    this.#issuer = issuer
    this.#consent = consent
    this.#cookies.set(new URL(issuer).origin, new Map([['session', user]]))
  }

  /** Opens an address and follows every redirect; answers what the user sees in the end, and at which `url`. */
  async open(address: string, init: RequestInit = {}): Promise<Response> {
    let response = await this.request(address, init)
    for (let hops = 0; response.headers.has('location'); hops++) {
      if (hops > 10) throw new Error(`redirected for ever, last to ${response.headers.get('location')}`)
      const next = new URL(response.headers.get('location') ?? '', response.url)
      const consentId = next.searchParams.get('consent_id')
      response =
        consentId === null
          ? await this.request(next.href)
          : await this.request(`${this.#issuer}/oauth/authorize`, {
              method: 'POST',
              body: new URLSearchParams({ consent_id: consentId, consent: this.#consent }),
            })
    }
    return response
  }

  /** One request, with the cookies of its origin. */
  async request(address: string, init: RequestInit = {}): Promise<Response> {
    const { origin } = new URL(address)
    const cookies = this.#cookies.get(origin) ?? new Map<string, string>()
    this.#cookies.set(origin, cookies)
    const headers = new Headers(init.headers)
    headers.set('cookie', [...cookies].map(cookie => cookie.join('=')).join('; '))
    const response = await fetch(address, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return response
  }
}
