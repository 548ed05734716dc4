import { type Chapter, connect, expect, refresh, type Tokens } from '../scene.ts'

export const smallerPlan: Chapter = {
  title: 'on the free plan an app may read, and nothing else',
  async run(host) {
    const tokens = await connect(host, 'bert')
    expect(tokens.scope === 'read:records', 'the free plan may write')
    console.log('\n  The answer says which scopes are left, and he was asked about no others.')
    const next = (await (await refresh(host, tokens)).json()) as Tokens
    expect(next.scope === 'read:records', 'a refresh brings more')
  },
}
