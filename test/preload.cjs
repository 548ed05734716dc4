/**
 * Node loads this before each test file. tap names the source, and node runs what test/compile.ts made of it.
 *
 * It also keeps tap from hooking into imports and child processes, for coverage and mocks, which no test uses: that costs a
 * second of processor time per file. If a later tap does not heed it, the tests only become slower.
 */
const Module = require('node:module')
const { join, relative, resolve } = require('node:path')
const process = require('node:process')

const { TEST_COMPILED } = process.env
if (!TEST_COMPILED) throw new Error('test/run.ts has to compile the tests first: npm test -- path/of.test.ts')

const { register, runMain } = Module
Module.runMain = source => {
  const path = relative(resolve(__dirname, '..'), source).replace(/\.ts$/, '.js')
  runMain(join(TEST_COMPILED, path))
}

process.env.__TAPJS_PROCESSINFO_TESTING_NO_REGISTER__ = String(process.pid)
Module.register = (specifier, ...rest) => {
  if (!String(specifier).includes('/@tapjs/')) register(specifier, ...rest)
}
Module.syncBuiltinESMExports()
