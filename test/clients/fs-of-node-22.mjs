/*
 * Preloaded into the conformance suite, whose other commands import from `fs` what Node 20 does not have: that import would
 * fail before the command line is read.
 */
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const FS = 'data:text/javascript,export * from "node:fs"; export const globSync = undefined'

// Hooks run in a thread of their own, which loads this file once more.
if (isMainThread) register(import.meta.url)

export function resolve(name, context, next) {
  const isSuite = context.parentURL?.includes('/@modelcontextprotocol/conformance/')
  return name === 'fs' && isSuite ? { url: FS, shortCircuit: true } : next(name, context)
}
