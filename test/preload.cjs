/**
 * Node loads this before each test file. tap names the source, and node runs what test/compile.ts made of it.
 *
 * tap's hooks on imports and child processes are disabled while tap starts. They serve coverage and mocks, which no test
 * uses, and cost half a second of processor time per file. If a later tap ignores this, the tests only become slower.
 */
const Module = require('node:module')
const { join, relative, resolve } = require('node:path')
const process = require('node:process')

const { TEST_COMPILED } = process.env
if (!TEST_COMPILED) throw new Error('test/run.ts has to compile the tests first: npm test -- path/of.test.ts')

const { register, registerHooks, runMain } = Module
const NO_RECORD = '__TAPJS_PROCESSINFO_TESTING_NO_REGISTER__'

set({ register: () => {}, registerHooks: registerHooks && (() => {}) })
process.env[NO_RECORD] = String(process.pid)

Module.runMain = source => {
  set({ register, registerHooks })
  delete process.env[NO_RECORD]
  const path = relative(resolve(__dirname, '..'), source).replace(/\.ts$/, '.js')
  runMain(join(TEST_COMPILED, path))
}

function set(functions) {
  Object.assign(Module, functions)
  Module.syncBuiltinESMExports()
}
