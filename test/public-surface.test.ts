import t from 'tap'
import { publicSurface, writtenSurface } from '../tools/public-surface.ts'
import { runsOn } from './support/places.ts'

// It takes as long as building the package.
if (runsOn('package'))
  t.test('test/public-surface.md is what a host can import: `npm run surface` writes it', async t => {
    t.equal(writtenSurface(), publicSurface())
    t.match(writtenSurface(), /function createAuthmount<.*>\(options: AuthmountOptions<.*>\): Authmount</)
  })
