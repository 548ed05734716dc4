/** @import { Action } from './types.ts' */
import { forgetAfter } from './memory.js'
import { bad, check, fact, good, refused } from './say.js'
import { planIntrospect, planRecords, refreshWith, tokensAfterRefresh } from './using-tokens.js'
import { jsonOf, statusOf } from './wire.js'

/** @type {{ [Name in 'retry' | 'reuse' | 'left']: Action }} */
export const reusingTokens = {
  retry: {
    missing: ({ shown }) => (shown.refresh ? null : 'Opens when the tokens were refreshed (step 9).'),
    plan({ app, tokens }) {
      if (!app || !tokens?.refreshToken) return []
      const plan = refreshWith(app, tokens.refreshToken)
      return [
        { ...plan, title: 'A refresh' },
        { ...plan, title: 'At once again, with the same refresh token' },
      ]
    },
    learn(state, exchange, index) {
      if (statusOf(exchange) !== 200 || !state.tokens?.refreshToken) return
      forgetAfter(state, 'retry', 'left')
      // The server began to count before it answered: by our clock, which began now, the grace is over for certain.
      if (index === 0) state.spent = { refreshToken: state.tokens.refreshToken, since: Date.now() }
      state.tokens = tokensAfterRefresh(state, exchange)
    },
    notes(_state, [first, second]) {
      if (statusOf(first) !== 200) return refused(first, 'The grant is over. Begin again with step 3.')
      if (statusOf(second) !== 200) return [bad('The retry was refused: this host gives no grace, or it came too late.')]
      const [one, two] = [jsonOf(first), jsonOf(second)]
      return [
        check(one.refresh_token === two.refresh_token, 'The same new refresh token, twice.', 'Two DIFFERENT refresh tokens.'),
        check(one.access_token === two.access_token, 'The same access token, twice.', 'Two DIFFERENT access tokens.'),
        fact('So soon, a second use is a lost reply or another tab. It gets what the first got, and nobody is logged out.'),
      ]
    },
  },

  reuse: {
    missing({ spent }, { graceSeconds }) {
      if (!spent) return 'Opens when a refresh token was used twice, above.'
      const left = Math.ceil((spent.since + graceSeconds * 1000 - Date.now()) / 1000)
      return left > 0 ? `The grace lasts ${left} more second${left === 1 ? '' : 's'}.` : null
    },
    plan({ app, spent }) {
      return app && spent ? [refreshWith(app, spent.refreshToken)] : []
    },
    notes(_state, [exchange]) {
      if (jsonOf(exchange).error !== 'invalid_grant') return refused(exchange, 'The answer is NOT invalid_grant.')
      return [
        good('invalid_grant. A token that comes back this late has been copied: by whom, nobody can tell.'),
        fact('So everything of the grant has ended, the newest tokens too, and the host’s onEvent is told: refresh_reuse.'),
      ]
    },
  },

  left: {
    missing: ({ shown }) => (shown.reuse ? null : 'Opens when the spent token was used, above.'),
    plan(state) {
      const { app, tokens } = state
      if (!app || !tokens) return []
      const [records] = planRecords(state)
      const introspect = planIntrospect(app, tokens.refreshToken ?? tokens.accessToken)
      return [
        { ...introspect, title: 'Is the newest refresh token good?' },
        ...(records ? [{ ...records, title: 'Does the newest access token open the API?' }] : []),
      ]
    },
    notes({ app }, [asked, called]) {
      return [
        app?.clientSecret === null
          ? fact('A public app may not ask about tokens.')
          : check(jsonOf(asked).active === false, 'The newest refresh token has ended.', 'The refresh token is STILL active.'),
        check(statusOf(called) === 401, 'The newest access token has ended.', 'The access token STILL works.'),
        fact(
          `To get in again, begin with step 3${app?.clientSecret === null ? '' : ': you have agreed, and are not asked again'}.`,
        ),
      ]
    },
  },
}
