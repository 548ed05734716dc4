import { basename } from 'node:path'
import ts from 'typescript'

/** The CommonJS form of an ES module, as two files beside it. */
export interface Commonjs {
  /** Loads the ES module (`require` of one needs Node 20.19), so that a program has the module once. */
  readonly js: string
  /**
   * Declares what the ES module declares, without repeating it: each type is the one of the ES module. TypeScript does not
   * import an ES module into CommonJS under `module: node16` and `node18` (TS1479), and it accepts this.
   */
  readonly types: string
}

/** Makes the CommonJS form of each module, by the path of its `.d.ts`. */
export function commonjsForms(files: readonly string[]): ReadonlyMap<string, Commonjs> {
  const program = ts.createProgram(files, { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, skipLibCheck: true })
  const checker = program.getTypeChecker()
  return new Map(files.map(file => [file, commonjsForm(file, program.getSourceFile(file), checker)]))
}

function commonjsForm(file: string, source: ts.SourceFile | undefined, checker: ts.TypeChecker): Commonjs {
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) throw new Error(`${file} is not a module`)
  const values = checker.getExportsOfModule(module).flatMap(exported => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    return symbol.flags & ts.SymbolFlags.Value ? [{ name: exported.name, symbol }] : []
  })
  const path = `./${basename(file).replace(/\.d\.ts$/, '.js')}`
  return {
    js: [
      `const esm = require('${path}')`,
      // Compilers read it when they import a default export.
      "Object.defineProperty(exports, '__esModule', { value: true })",
      ...values.map(({ name }) => `exports.${name} = esm.${name}`),
      '',
    ].join('\n'),
    types: [
      `import type * as esm from '${path}' with { 'resolution-mode': 'import' }`,
      `export type * from '${path}' with { 'resolution-mode': 'import' }`,
      ...values.flatMap(({ name, symbol }) => declarations(name, symbol, checker)),
      '',
    ].join('\n'),
  }
}

function declarations(name: string, symbol: ts.Symbol, checker: ts.TypeChecker): readonly string[] {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const docs = text === '' ? '' : `/**\n${text.replace(/^/gm, ' * ').replace(/ +$/gm, '')}\n */\n`
  if (name === 'default') return [`${docs}declare const plugin: typeof esm.default`, 'export default plugin']
  const value = `${docs}export declare const ${name}: typeof esm.${name}`
  // A class is a type, too.
  return symbol.flags & ts.SymbolFlags.Type ? [value, `export type ${name} = esm.${name}`] : [value]
}
