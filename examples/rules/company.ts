/** What the host knows of its users beside their passwords. authmount asks it at each token, and keeps none of it. */
export interface Member {
  readonly name: string
  readonly plan: 'free' | 'team'
  readonly roles: readonly string[]
  readonly isActive: boolean
}

export class Company {
  readonly #members = new Map<string, Member>([
    ['anna', { name: 'Anna Bell', plan: 'team', roles: ['editor', 'billing'], isActive: true }],
    ['bert', { name: 'Bert Cole', plan: 'free', roles: ['reader'], isActive: true }],
  ])

  member(id: string): Member | undefined {
    return this.#members.get(id)
  }

  change(id: string, change: Partial<Member>): void {
    const member = this.#members.get(id)
    if (member) this.#members.set(id, { ...member, ...change })
  }
}
