import { readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { type DefaultTheme, defineConfig } from 'vitepress'

/*
 * The documentation as a site with search: `npm run docs` builds it into docs/.vitepress/dist, without the network.
 * Its pages are the Markdown of this repository as it stands, and the reference that typedoc.mjs makes of the docstrings.
 */

const ROOT = join(import.meta.dirname, '../..')
const { description, exports, repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** Pages that do not lie in docs, and what they are called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md': 'readme.md',
  'CHANGELOG.md': 'changelog.md',
  'examples/custom-store/README.md': 'custom-store.md',
}

const GUIDES: readonly DefaultTheme.SidebarItem[] = [
  {
    text: 'Start',
    items: [
      { text: 'Get started', link: '/getting-started' },
      { text: 'Concepts', link: '/concepts' },
      { text: 'README', link: '/readme' },
      { text: 'Compared with others', link: '/compared' },
      { text: 'From node-oauth2-server', link: '/migrate-node-oauth2-server' },
    ],
  },
  {
    text: 'Do',
    items: [
      { text: 'Let agents call your API', link: '/agents' },
      { text: 'Terminals and devices', link: '/devices' },
      { text: 'Protect your routes', link: '/protect-routes' },
      { text: 'Bound tokens', link: '/bound-tokens' },
      { text: 'Sign in with your server', link: '/sign-in' },
      { text: 'Client libraries', link: '/clients' },
      { text: 'Pages people see', link: '/pages' },
      { text: 'The API of apps', link: '/apps-api' },
      { text: 'Connect outside accounts', link: '/connectors' },
      { text: 'Clients with keys', link: '/client-keys' },
      { text: 'Ways in of your own', link: '/extending' },
      { text: 'Storage', link: '/storage' },
      { text: 'A store of your own', link: '/storage#a-store-of-your-own' },
    ],
  },
  {
    text: 'Run',
    items: [
      { text: 'Options', link: '/options' },
      { text: 'Operations', link: '/operations' },
      { text: 'Security', link: '/security' },
      { text: 'Conformance', link: '/conformance' },
      { text: 'The doctor', link: '/doctor' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'Changelog', link: '/changelog' },
      { text: 'Inside authmount', link: '/inside' },
    ],
  },
  {
    text: 'Reference',
    items: Object.keys(exports)
      .filter(path => path !== './package.json')
      .map(path => path.replace('.', 'authmount'))
      .map(name => ({ text: name, link: `/api/${name}` })),
  },
]

export default defineConfig({
  title: 'authmount',
  description,
  srcDir: '..',
  srcExclude: ['**/{dist,src,test,adapters}/**', 'examples/!(custom-store)/**'],
  rewrites: path => ELSEWHERE[path] ?? path.replace(/^docs\//, ''),
  markdown: {
    anchor: { slugify: slugOnGitHub },
    config: markdown => {
      markdown.core.ruler.push('links-of-the-repository', ({ env, tokens }) => {
        const from = relative(ROOT, env.realPath ?? env.path)
        let unlinked = false
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          if (token.type === 'link_open') {
            const href = hrefOnSite(token.attrGet('href') ?? '', from)
            unlinked = href === undefined
            token.attrs = href === undefined ? null : [['href', href]]
          }
          if (unlinked && /^link_/.test(token.type)) token.tag = 'span'
        }
      })
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Get started', link: '/getting-started' },
      { text: 'Agents', link: '/agents' },
      { text: 'Options', link: '/options' },
      { text: 'Reference', link: '/api/' },
    ],
    sidebar: [...GUIDES],
  },
})

/**
 * A link that works on GitHub as one that works here: to the page, or into the repository for what is no page.
 * Undefined where package.json names no repository to lead to.
 */
function hrefOnSite(href: string, from: string): string | undefined {
  if (href === '' || /^(#|\/|\w+:)/.test(href) || from.startsWith('docs/api/')) return href
  const [path = '', hash] = href.split('#')
  const target = posix.join(dirname(from), path)
  const anchor = hash === undefined ? '' : `#${hash}`
  const page = ELSEWHERE[target] ?? (/^docs\/[^/]+\.md$/.test(target) ? target.slice('docs/'.length) : undefined)
  if (page !== undefined) return `/${page}${anchor}`
  return repository && `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/HEAD/${target}${anchor}`
}

/** The same anchors here and there. */
function slugOnGitHub(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}
