import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Converter } from 'typedoc'

const ROOT = new URL('../../', import.meta.url)
const pathOf = name => fileURLToPath(new URL(name, ROOT))
const { exports } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))

/** What can be imported, and the source of it. */
const MODULES = Object.entries(exports).flatMap(([path, entry]) =>
  typeof entry === 'object'
    ? [{ name: path.replace('.', 'authmount'), source: entry.default.replace(/^\.\/dist\/(.+)\.js$/, '$1.ts') }]
    : [],
)

/** The API reference, from the docstrings: a Markdown page for each module. */
export default {
  entryPoints: MODULES.map(({ source }) => pathOf(source)),
  tsconfig: pathOf('tsconfig.build.json'),
  out: pathOf('docs/api'),
  plugin: ['typedoc-plugin-markdown', nameModules],
  logLevel: 'Warn',
  // `npm run typecheck` does that.
  skipErrorChecking: true,
  readme: 'none',
  disableSources: true,
  excludeExternals: true,
  // What is only mentioned in a signature is explained where it is mentioned.
  validation: { notExported: false },
  sort: ['source-order'],
  sortEntryPoints: false,
  groupOrder: ['Functions', 'Interfaces', 'Classes', 'Type Aliases', '*'],
  router: 'module',
  modulesFileName: 'index',
  entryFileName: 'index',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  pageTitleTemplates: { index: 'API reference', module: ({ name }) => name },
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  tableColumnSettings: { hideModifiers: true, hideOverrides: true, hideInherited: true, hideDefaults: true },
  useCodeBlocks: true,
}

/** TypeDoc names modules by their files. */
function nameModules(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const { name, source } of MODULES) {
      const file = source.replace(/(\/index)?\.ts$/, '')
      for (const module of project.children ?? []) if (module.name === file) module.name = name
    }
  })
}
