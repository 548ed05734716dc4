import { createServer, type ServerResponse } from 'node:http'
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { TestHost } from './host.ts'

/** What an app is sent at its back-channel logout URI. */
export interface ReceivedLogout {
  readonly method: string | undefined
  readonly contentType: string | undefined
  readonly form: URLSearchParams
}

/** The server of an app, over http on this machine: it receives logout tokens, and answers as a test says. */
export class LogoutReceiver {
  readonly received: ReceivedLogout[] = []
  /** Answers the request of this number, counted from 1. Default: 200. */
  answer: (response: ServerResponse, count: number) => void = response => response.end()
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const form = new URLSearchParams(String(Buffer.concat(chunks)))
      this.received.push({ method: request.method, contentType: request.headers['content-type'], form })
      this.answer(response, this.received.length)
    })
  })

  static async start(): Promise<LogoutReceiver> {
    const receiver = new LogoutReceiver()
    await new Promise<void>(resolve => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  /** The app's back-channel logout URI. */
  get uri(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/logout`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

/** Verifies a logout token as an app must (OpenID Connect Back-Channel Logout 1.0 §2.6). */
export async function verifyLogout(host: TestHost, { form }: ReceivedLogout, audience: string): Promise<JWTPayload> {
  const { body } = await host.send('/.well-known/jwks.json')
  const keys = createLocalJWKSet(body as unknown as Parameters<typeof createLocalJWKSet>[0])
  const { payload } = await jwtVerify(form.get('logout_token') ?? '', keys, {
    currentDate: new Date(host.clock.now()),
    issuer: 'https://issuer.example',
    audience,
    typ: 'logout+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
    maxTokenAge: 120,
  })
  if ('nonce' in payload) throw new Error('a logout token must have no nonce')
  return payload
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 10))
}
