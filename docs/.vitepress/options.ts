/**
 * Writes the tables of docs/options.md, from the table of options and from what the docstrings say of each.
 *
 * Between `<!-- options: Times -->` and `<!-- end -->` of the page stands a row for each option under the comment `// Times` in
 * src/options/options.ts. Run: `npm run docs:options`. A test holds the page against it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import ts from 'typescript'
import type { AnyRow } from '../../src/options/kinds.ts'
import { OPTIONS } from '../../src/options/table.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PAGE = resolve(ROOT, 'docs/options.md')
const DECLARED = resolve(ROOT, 'src/options/options.ts')

interface Entry {
  readonly option: string
  readonly type: string
  /** As words; `required` where there is none. */
  readonly fallback: string
  readonly text: string
}

if (process.argv[1] === import.meta.filename) {
  const page = await readFile(PAGE, 'utf8')
  await writeFile(PAGE, withTables(page))
}

/** The page with tables as the code says them now. Throws for a docstring that contradicts the table of options. */
export function withTables(page: string): string {
  const sections = readSections()
  return page.replace(/(<!-- options: (.+?) -->\n)[\s\S]*?(<!-- end -->)/g, (_all, start: string, name: string, end: string) => {
    const entries = sections.get(name)
    if (!entries) throw new Error(`there is no section “${name}” among ${[...sections.keys()].join(', ')}`)
    sections.delete(name)
    return `${start}\n${tableOf(entries)}\n\n${end}`
  })
}

/** The names of the sections that a page must have. */
export function sectionNames(): readonly string[] {
  return [...readSections().keys()]
}

function tableOf(entries: readonly Entry[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  return [
    '| option | type | default | what it is |',
    '| --- | --- | --- | --- |',
    ...entries.map(({ option, type, fallback, text }) => `| \`${option}\` | ${cell(type)} | ${cell(fallback)} | ${cell(text)} |`),
  ].join('\n')
}

function readSections(): Map<string, readonly Entry[]> {
  const program = ts.createProgram([DECLARED], { strict: true, noEmit: true, allowImportingTsExtensions: true })
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(DECLARED)
  const options = file?.statements.find(
    statement => ts.isInterfaceDeclaration(statement) && statement.name.text === 'AuthmountOptions',
  )
  if (!file || !options || !ts.isInterfaceDeclaration(options))
    throw new Error('src/options/options.ts declares no AuthmountOptions')
  const sections = new Map<string, Entry[]>()
  let current: Entry[] = []
  for (const member of options.members.filter(ts.isPropertySignature)) {
    const heading = /^\/\/ ([^.:]+)/.exec(leadingLine(member, file))?.[1]
    if (heading !== undefined) {
      current = []
      sections.set(heading, current)
    }
    const name = member.name.getText()
    const row: AnyRow | undefined = (OPTIONS as Readonly<Record<string, AnyRow>>)[name]
    if (!row) throw new Error(`${name} is not in the table of options`)
    current.push(...entriesOf(name, member, row, checker))
  }
  return sections
}

function entriesOf(option: string, member: ts.PropertySignature, row: AnyRow, checker: ts.TypeChecker): readonly Entry[] {
  const { rows } = row.kind
  if (!rows) return [entryOf(option, member, row, checker)]
  const type = checker.getNonNullableType(checker.getTypeAtLocation(member))
  return Object.entries(rows).flatMap(([name, own]) => {
    const declaration = type.getProperty(name)?.valueDeclaration
    if (!declaration || !ts.isPropertySignature(declaration)) throw new Error(`${option}.${name} is declared nowhere`)
    return entriesOf(`${option}.${name}`, declaration, own, checker)
  })
}

function entryOf(option: string, member: ts.PropertySignature, row: AnyRow, checker: ts.TypeChecker): Entry {
  const symbol = checker.getSymbolAtLocation(member.name)
  const doc = ts.displayPartsToString(symbol?.getDocumentationComment(checker)).replace(/\s+/g, ' ').trim()
  if (doc === '') throw new Error(`${option} has no docstring`)
  const pages = (symbol?.getJsDocTags(checker) ?? [])
    .filter(({ name }) => name === 'see')
    .map(({ text }) => ts.displayPartsToString(text).trim())
  const { fallback, range, text } = partsOf(doc)
  const { fallback: value } = row
  if (row.required !== (fallback === undefined)) throw new Error(`${option}: the docstring must say what its default is`)
  if (['string', 'number', 'boolean'].includes(typeof value) && value !== '' && fallback?.replaceAll('`', '') !== String(value))
    throw new Error(`${option}: the docstring says that ${fallback} is the default, the table ${String(value)}`)
  if (row.kind.range !== undefined && row.kind.range !== range)
    throw new Error(`${option}: the docstring says ${range}, the table ${row.kind.range}`)
  return {
    option,
    type: [`\`${typeText(member.type)}\``, ...(range === undefined ? [] : [range])].join(', '),
    fallback: fallback ?? 'required',
    text: [text, ...pages.map(page => `([more](${page.replace(/^docs ?\//, '').replace(/^options\.md#/, '#')}))`)].join(' '),
  }
}

/** `How long. 1–600 seconds; default 60.` has a text, a range and a default. */
function partsOf(doc: string): { readonly text: string; readonly range?: string | undefined; readonly fallback?: string } {
  const [, before = '', fallback] = /^(.*[.;] )?[Dd]efault:? (.*)\.$/s.exec(doc) ?? []
  if (fallback === undefined) return { text: doc }
  const [, text = before, range] = /^(.*\. )?([^.]*); $/s.exec(before) ?? []
  return { text: text.trim(), range, fallback }
}

/** The comment line of its own that stands directly above a member and its docstring. */
function leadingLine(member: ts.Node, file: ts.SourceFile): string {
  const [first] = ts.getLeadingCommentRanges(file.text, member.getFullStart()) ?? []
  return first?.kind === ts.SyntaxKind.SingleLineCommentTrivia ? file.text.slice(first.pos, first.end) : ''
}

/** A type as a reader needs it: without `readonly`, `undefined` and promises. */
function typeText(node: ts.TypeNode | undefined): string {
  if (!node) return 'unknown'
  if (ts.isParenthesizedTypeNode(node)) return typeText(node.type)
  if (ts.isTypeOperatorNode(node)) return typeText(node.type)
  if (ts.isArrayTypeNode(node)) return `${typeText(node.elementType)}[]`
  if (ts.isFunctionTypeNode(node))
    return `(${node.parameters.map(({ name }) => name.getText()).join(', ')}) => ${typeText(node.type)}`
  if (ts.isUnionTypeNode(node)) {
    const types = node.types.filter(type => type.kind !== ts.SyntaxKind.UndefinedKeyword)
    const plain = types.filter(type => !type.getText().startsWith('Promise<'))
    return (plain.length > 0 ? plain : types).map(typeText).join(' | ')
  }
  if (ts.isTypeReferenceNode(node) && node.typeName.getText() === 'Readonly') return typeText(node.typeArguments?.[0])
  return node.getText().replace(/\s+/g, ' ').replaceAll('readonly ', '').replaceAll('Readonly', '')
}
