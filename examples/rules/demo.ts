/**
 * A host whose rules count: what plan and roles a token says, which scopes a plan has, and that a user who is disabled stops. Each
 * chapter runs on both frameworks, and prints every request and answer, and the events.
 */
import { heading } from '../host/printed.ts'
import { disabledUser } from './chapters/disabled-user.ts'
import { planAndRoles } from './chapters/plan-and-roles.ts'
import { smallerPlan } from './chapters/smaller-plan.ts'
import { type RuledHost, startRuledExpress, startRuledFastify } from './host.ts'
import type { Chapter } from './scene.ts'

/** In the order of a user's way: what stands between login and consent comes first, the end of a session last. */
const CHAPTERS: readonly Chapter[] = [planAndRoles, smallerPlan, disabledUser]

await demonstrate('Express', await startRuledExpress())
await demonstrate('Fastify', await startRuledFastify())

async function demonstrate(framework: string, host: RuledHost): Promise<void> {
  for (const { run, title } of CHAPTERS) {
    heading(`${framework}: ${title}`)
    await run(host)
  }
  await host.close()
  console.log(`\n✔ ${framework}: complete\n`)
}
