import type { AuthmountOptions } from 'authmount'
import type { Company } from './company.ts'

/** The company's rules: two functions among the options of `createAuthmount`. */
export function rulesOf(company: Company): Pick<AuthmountOptions, 'accessTokenClaims' | 'policy'> {
  return {
    // What every API reads in the token, without asking anybody.
    accessTokenClaims({ userId }) {
      if (userId === null) return { roles: ['service'] }
      const member = company.member(userId)
      return member ? { plan: member.plan, roles: [...member.roles] } : null
    },
    policy({ scopes, userId }) {
      if (userId === null) return { allow: true }
      const member = company.member(userId)
      if (!member?.isActive) return { deny: true, description: 'this account is disabled' }
      // To change records through an app is part of the team plan.
      return member.plan === 'team' ? { allow: true } : { scopes: scopes.filter(scope => scope !== 'write:records') }
    },
    // A second factor, and the choice of an organisation, are pages between login and consent: they are added here.
  }
}
