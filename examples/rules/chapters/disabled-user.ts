import { type Chapter, connect, expect, refresh, type Tokens, who } from '../scene.ts'

export const disabledUser: Chapter = {
  title: 'a user is disabled while an app refreshes',
  async run(host) {
    const tokens = await connect(host, 'bert')
    const next = (await (await refresh(host, tokens)).json()) as Tokens
    host.company.change('bert', { isActive: false })
    console.log('\n  He is disabled. The next refresh is denied, and the grant ends, with the access token that the app has.')
    const answers = await Promise.all([refresh(host, next), refresh(host, next)])
    expect(
      answers.every(({ status }) => status === 400),
      'a disabled user goes on',
    )
    expect((await who(host, next)).status === 401, 'the access token goes on')
    console.log('\n  He is enabled again: the app must ask him anew.')
    host.company.change('bert', { isActive: true })
    expect((await refresh(host, next)).status === 400, 'a grant that has ended came back')
  },
}
