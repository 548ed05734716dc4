import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { Deadlines, TICKS, Waiting } from '../../src/store/deadlines.ts'

class Waiter extends Waiting {
  readonly expire: () => void

  constructor(expire: () => void) {
    super()
    this.expire = expire
  }
}

function waiter(name: string, expired: string[]): Waiting {
  return new Waiter(() => expired.push(name))
}

// The queue keeps no process alive, so a test that waits for it must.
const awake = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(awake))

t.test('those who still wait expire in the order they came, and nobody else does', async t => {
  const deadlines = new Deadlines(80)
  const expired: string[] = []
  const waiters = ['a', 'b', 'c', 'd', 'e'].map(name => waiter(name, expired))
  for (const waiting of waiters) deadlines.add(waiting)
  // The first, one in the middle and the last are answered; one of them twice.
  for (const index of [0, 2, 4, 2]) deadlines.remove(waiters[index] ?? waiter('', expired))
  // A busy machine delays both timers; whoever expires wrongly does so with the others.
  for (let ticks = 0; ticks < 500 && expired.length < 2; ticks++) await setTimeout(10)
  t.strictSame(expired, ['b', 'd'])
  for (const waiting of waiters) deadlines.remove(waiting)
})

t.test('nobody waits longer than the timeout, nor much less', async t => {
  const deadlines = new Deadlines(400)
  for (const delay of [0, 30, 70]) {
    await setTimeout(delay)
    // Counted in ticks of a timer of the test's own, which a busy machine delays as it does the queue's.
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 400 / TICKS)
    await new Promise<void>(resolve => deadlines.add(new Waiter(resolve)))
    clearInterval(timer)
    t.ok(ticks >= TICKS - 2 && ticks <= TICKS + 1, `${ticks} ticks`)
  }
})

t.test('time does not count while an entry is paused', async t => {
  const deadlines = new Deadlines(80)
  const expired: string[] = []
  const [paused, released] = [waiter('paused', expired), waiter('released', expired)]
  for (const waiting of [paused, released]) {
    deadlines.add(waiting)
    deadlines.pause(waiting)
  }
  await setTimeout(200)
  t.strictSame(expired, [])
  deadlines.remove(released)
  for (const waiting of [paused, released]) deadlines.resume(waiting)
  await setTimeout(200)
  t.strictSame(expired, ['paused'])
})

t.test('a queue that has been quiet for a while works again', async t => {
  const deadlines = new Deadlines(40)
  const expired: string[] = []
  for (const name of ['first', 'second']) {
    deadlines.add(waiter(name, expired))
    await setTimeout(150)
  }
  t.strictSame(expired, ['first', 'second'])
})

t.test('what holds up the process is not counted as waiting', async t => {
  const deadlines = new Deadlines(160)
  const expired: string[] = []
  deadlines.add(waiter('held up', expired))
  const until = performance.now() + 400
  while (performance.now() < until);
  await setTimeout(30)
  t.strictSame(expired, [], 'an answer that has arrived meanwhile is still taken')
  await setTimeout(400)
  t.strictSame(expired, ['held up'])
})
