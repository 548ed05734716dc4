/**
 * Both directions in one run, without the internet: the example host is the provider (authmount on Express), a calendar is its
 * client (authmount on Fastify). Prints every request of the browser and every step between the two.
 */
import { startExpress } from '../express/app.ts'
import { browse, freePort, heading, printed } from '../host/printed.ts'
import { openStore } from '../host/store.ts'
import { startCalendar } from './calendar.ts'

const [recordsPort, calendarPort] = [await freePort(), await freePort()]
const records = await startExpress(recordsPort, await openStore({}))
const { clientId, clientSecret } = await records.authmount.registerApp(
  {
    name: 'Calendar',
    redirectUris: [`http://127.0.0.1:${calendarPort}/connectors/oauth/callback`],
    allowedScopes: ['openid', 'read:records', 'write:records'],
  },
  { orgId: 'acme', userId: 'anna' },
)
const calendar = await startCalendar(calendarPort, {
  issuer: records.origin,
  clientId,
  ...(clientSecret !== null && { clientSecret }),
  scopes: ['openid', 'read:records', 'write:records'],
})
const { authmount, user } = calendar
const atCalendar = { headers: { cookie: 'calendar=anna' } }

heading('Anna, at her calendar, connects her records')
const begun = await printed(`${calendar.origin}/connectors/records/oauth/authorize`, atCalendar)
const { authorizationUrl } = (await begun.json()) as { authorizationUrl: string }
const binding = begun.headers.get('set-cookie')?.split(';')[0] ?? ''

heading('Her browser goes to the records, where she signs in and agrees')
const toLogin = await browse(new URL(authorizationUrl))
const returnTo = toLogin.searchParams.get('returnTo') ?? ''
const signedIn = await printed(new URL('/login', records.origin), {
  method: 'POST',
  redirect: 'manual',
  body: new URLSearchParams({ name: 'anna', password: 'anna-demo', returnTo }),
})
const atRecords = { headers: { cookie: signedIn.headers.get('set-cookie')?.split(';')[0] ?? '' } }
const screen = await browse(new URL(returnTo, records.origin), atRecords)
const callback = await browse(new URL('/oauth/authorize', records.origin), {
  method: 'POST',
  ...atRecords,
  body: new URLSearchParams({ consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }),
})

heading('She comes back to the calendar, which redeems the code and keeps the tokens, sealed')
await browse(callback, { headers: { cookie: `calendar=anna; ${binding}` } })
console.log('\n  connectorStatus:', await authmount.connectorStatus('records', user))

heading('The calendar shows her records')
await expect(200, await printed(`${calendar.origin}/records`, atCalendar))

heading('The provider refuses a token: five callers at once get one new one')
const { accessToken: refused } = await authmount.connectorToken('records', user)
const fresh = await Promise.all(Array.from({ length: 5 }, () => authmount.connectorToken('records', user, { refused })))
console.log(`\n  5 callers, ${new Set(fresh.map(({ accessToken }) => accessToken)).size} new token`)
if (fresh.some(({ accessToken }) => accessToken !== fresh[0]?.accessToken)) throw new Error('the callers got different tokens')

heading('She disconnects: the calendar forgets, and the records end what they had issued')
console.log('\n  disconnect:', await authmount.disconnect('records', user))
const after = await printed(`${records.origin}/api/records`, { headers: { authorization: `Bearer ${fresh[0]?.accessToken}` } })
await expect(401, after)

console.log('\n✔ Connectors: complete\n')
await calendar.server.close()
records.server.closeAllConnections()
records.server.close()

async function expect(status: number, answer: Response): Promise<void> {
  if (answer.status !== status) throw new Error(`${answer.url} was answered ${answer.status}, not ${status}`)
}
