/** Every export of the package has a docstring, and so has every member of every exported type. */
import { relative, resolve } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const ROOT = resolve(import.meta.dirname, '../..')
/** The files behind `exports` of package.json. */
const ENTRIES = [
  'src/index.ts',
  'adapters/express.ts',
  'adapters/fastify.ts',
  'adapters/memory/store.ts',
  'adapters/redis/store.ts',
  'adapters/mongo/store.ts',
  'adapters/mcp.ts',
  'src/connectors/index.ts',
  'src/verify/index.ts',
  'src/testing/index.ts',
]

const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), path => ts.sys.readFile(path))
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
const program = ts.createProgram(
  ENTRIES.map(path => resolve(ROOT, path)),
  options,
)
const checker = program.getTypeChecker()

const exported = new Set(ENTRIES.flatMap(exportsOf))
const declarations = [...exported].flatMap(symbol => symbol.declarations ?? []).filter(isOurs)
const members = new Set(declarations.flatMap(membersOf))

t.test('the walk finds the exports and their members', async t => {
  t.ok(exported.size >= 100, `${exported.size} exports`)
  t.ok(members.size >= 300, `${members.size} members`)
})

t.test('every export has a docstring', async t => {
  const silent = [...exported].filter(symbol => !isDescribed(symbol) && symbol.declarations?.some(isOurs))
  t.same(silent.map(symbol => `${placeOf(symbol.declarations?.[0])} ${symbol.name}`).toSorted(), [])
})

t.test('every member of an exported type has a docstring', async t => {
  const silent = [...members].filter(member => !hasDocstring(member))
  t.same(silent.map(member => `${placeOf(member)} ${pathOf(member)}`).toSorted(), [])
})

function exportsOf(path: string): readonly ts.Symbol[] {
  const file = program.getSourceFile(resolve(ROOT, path))
  const module = file && checker.getSymbolAtLocation(file)
  if (!module) throw new Error(`${path} is not a module`)
  return checker
    .getExportsOfModule(module)
    .map(symbol => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

function isOurs(node: ts.Node): boolean {
  return !node.getSourceFile().fileName.includes('/node_modules/')
}

function isDescribed(symbol: ts.Symbol): boolean {
  return symbol.getDocumentationComment(checker).length > 0
}

/** Members of a declaration, those of the object types inside it included. Bodies of functions are left out. */
function membersOf(declaration: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || ts.isTypeParameterDeclaration(node) || isHidden(node)) return
    if (isMember(node)) found.push(node)
    if (!(ts.isPropertyDeclaration(node) && node.initializer && !node.type)) ts.forEachChild(node, visit)
  }
  if (ts.isVariableDeclaration(declaration)) {
    if (declaration.type) visit(declaration.type)
  } else if (!ts.isExportAssignment(declaration)) ts.forEachChild(declaration, visit)
  return found
}

function isMember(node: ts.Node): boolean {
  return (
    ts.isPropertySignature(node) || ts.isMethodSignature(node) || ts.isPropertyDeclaration(node) || ts.isMethodDeclaration(node)
  )
}

function isHidden(node: ts.Node): boolean {
  const name = ts.isClassElement(node) ? node.name : undefined
  if (name && ts.isPrivateIdentifier(name)) return true
  return ts.canHaveModifiers(node) && !!ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
}

function hasDocstring(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc)
}

function placeOf(node: ts.Node | undefined): string {
  return node ? relative(ROOT, node.getSourceFile().fileName) : '?'
}

/** `Interface.member`, with the members between. */
function pathOf(node: ts.Node): string {
  const names: string[] = []
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    const name = ts.getNameOfDeclaration(at as ts.Declaration)
    if (name && !ts.isSourceFile(at) && !ts.isParameter(at)) names.unshift(name.getText())
  }
  return names.join('.')
}
