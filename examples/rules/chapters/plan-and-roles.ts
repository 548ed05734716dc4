import { decodeJwt } from 'jose'
import { type Chapter, connect, expect, refresh, type Tokens, who } from '../scene.ts'

interface Said {
  readonly claims: { readonly plan?: string; readonly roles?: readonly string[] }
}

export const planAndRoles: Chapter = {
  title: 'plan and roles are in the token, and new ones in the next',
  async run(host) {
    const tokens = await connect(host, 'anna')
    const said = (await (await who(host, tokens)).json()) as Said
    expect(said.claims.plan === 'team', 'the token does not say the plan')

    console.log(
      '\n  She changes departments. The token she has says what was true when it was issued; the next one says what is.',
    )
    host.company.change('anna', { roles: ['editor'] })
    const next = (await (await refresh(host, tokens)).json()) as Tokens
    const now = (await (await who(host, next)).json()) as Said
    expect(now.claims.roles?.join() === 'editor', 'the next token does not say the new roles')

    console.log('\n  The second API has signed tokens, which it checks by itself, and which live for five minutes.')
    const billing = await connect(host, 'anna', { resource: host.billing })
    console.log(`\n  ${JSON.stringify(decodeJwt(billing.access_token))}`)
    expect(billing.expires_in === 300, 'the token of the second API lives too long')
  },
}
