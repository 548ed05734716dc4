/**
 * Writes test/public-surface.md: everything that a host can import, as TypeScript sees it, so that a change of it shows in a
 * diff. Run: `npm run surface`. A test holds the file against the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import ts from 'typescript'
import { ENTRIES } from './entries.ts'

const ROOT = resolve(import.meta.dirname, '..')
const PAGE = resolve(ROOT, 'test/public-surface.md')
const PRINTER = ts.createPrinter({ removeComments: true })

/** The types of our own flows. The type of a route refers to them, and no host meets them. */
const INSIDE = new Set(['Config', 'Context', 'Services'])

if (process.argv[1] === import.meta.filename) writeFileSync(PAGE, publicSurface())

/** The report as it was written last. */
export function writtenSurface(): string {
  return readFileSync(PAGE, 'utf8')
}

/** Makes the report from the sources. */
export function publicSurface(): string {
  const program = declarationsOnly()
  const checker = program.getTypeChecker()
  const exported = new Set<ts.Symbol>()
  const sections = ENTRIES.map(({ name, types }) => {
    const file = program.getSourceFile(resolve(ROOT, types))
    const module = file && checker.getSymbolAtLocation(file)
    if (!module) throw new Error(`${types} is not a module`)
    const symbols = checker.getExportsOfModule(module).map(symbol => resolved(symbol, checker))
    for (const symbol of symbols) exported.add(symbol)
    const augmentations = file.statements.filter(ts.isModuleDeclaration)
    return { name, nodes: [...symbols.flatMap(symbol => statementsOf(symbol, program)), ...augmentations] }
  })
  const inner = reachable(
    sections.flatMap(({ nodes }) => nodes),
    { checker, exported, program },
  )
  return [
    '# The public surface',
    '',
    'Everything that a host can import. `npm run surface` writes this file, and a test holds it against the code.',
    ...sections.flatMap(({ name, nodes }) => section(name, nodes)),
    ...section('Types that these refer to, and that have no name outside', inner),
    '',
  ].join('\n')
}

function section(title: string, nodes: readonly ts.Node[]): readonly string[] {
  return ['', `## ${title}`, '', '```ts', ...[...new Set(nodes.map(print))].toSorted(byName), '```']
}

function print(node: ts.Node): string {
  const text = PRINTER.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
  return text.replace(/^(?:export |default |declare (?!global|module))+/, '')
}

/** By what is declared, not by how. */
function byName(a: string, b: string): number {
  const name = (text: string) => text.replace(/^(?:abstract |class |const |function |interface |type )+/, '')
  return name(a) < name(b) ? -1 : 1
}

/** The statements that declare something of this package; none for what comes from another. */
function statementsOf(symbol: ts.Symbol, program: ts.Program): readonly ts.Node[] {
  return (symbol.declarations ?? []).flatMap(declaration => {
    const file = declaration.getSourceFile()
    if (program.isSourceFileFromExternalLibrary(file) || relative(ROOT, file.fileName).includes('node_modules')) return []
    let node: ts.Node = declaration
    while (node.parent && !ts.isSourceFile(node.parent)) node = node.parent
    return ts.isSourceFile(node) || ts.isModuleDeclaration(node) ? [] : [node]
  })
}

/** What the statements refer to, and what that refers to, as far as it is not exported. */
function reachable(
  nodes: readonly ts.Node[],
  {
    checker,
    exported,
    program,
  }: { readonly checker: ts.TypeChecker; readonly exported: ReadonlySet<ts.Symbol>; readonly program: ts.Program },
): readonly ts.Node[] {
  const seen = new Set(exported)
  const found: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const named = checker.getSymbolAtLocation(node)
      const symbol = named && resolved(named, checker)
      if (symbol && !seen.has(symbol) && !INSIDE.has(symbol.name)) {
        seen.add(symbol)
        const isTopLevel = symbol.flags & (ts.SymbolFlags.Type | ts.SymbolFlags.Variable | ts.SymbolFlags.Function)
        const isMember = symbol.flags & (ts.SymbolFlags.TypeParameter | ts.SymbolFlags.FunctionScopedVariable)
        const statements = isTopLevel && !isMember ? statementsOf(symbol, program) : []
        found.push(...statements)
        for (const statement of statements) visit(statement)
      }
    }
    ts.forEachChild(node, visit)
  }
  for (const node of nodes) visit(node)
  return found
}

function resolved(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** A program of the declarations that a build would write, without a build. */
function declarationsOnly(): ts.Program {
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.build.json'), path => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const texts = new Map<string, string>()
  const sources = ts.createProgram(
    ENTRIES.map(({ source }) => resolve(ROOT, source)),
    options,
  )
  sources.emit(undefined, (name, text) => texts.set(name, text), undefined, true)

  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = name => texts.has(name) || fileExists(name)
  host.readFile = name => texts.get(name) ?? readFile(name)
  host.getSourceFile = (name, settings, ...rest) => {
    const text = texts.get(name)
    return text === undefined ? getSourceFile(name, settings, ...rest) : ts.createSourceFile(name, text, settings, true)
  }
  const entries = ENTRIES.map(({ types }) => resolve(ROOT, types))
  return ts.createProgram(entries, { ...options, noEmit: true, rewriteRelativeImportExtensions: false, declaration: false }, host)
}
