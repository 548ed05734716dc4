import type { Authmount, FindingCode } from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin, { requireToken as requireTokenOnFastify } from 'authmount/fastify'
import cors from 'cors'
import express, { type Express, type RequestHandler } from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import { type HostOptions, listen, type Mount } from '../support/host.ts'
import { type Alterations, rewriting } from './altering-proxy.ts'

/** The public origin of every host here. The doctor is told at which address of this machine it stands. */
export const ISSUER = 'https://id.example'

/** A host that is set up wrongly, and what the doctor says of it. */
export interface BrokenMount {
  readonly mounts: Readonly<Record<string, Mount>>
  readonly options?: HostOptions
  /** Between the doctor and the host. */
  readonly proxy?: Alterations
  /** The URL that is examined. Default: `/records`. */
  readonly url?: string
  readonly register?: boolean
  /** By code, what its cure says. */
  readonly finds: { readonly [Code in FindingCode]?: RegExp }
}

/** The places at which a host on Express does something of its own. */
interface ExpressShape {
  readonly first?: (app: Express, authmount: Authmount) => void
  readonly guard?: (authmount: Authmount) => RequestHandler[]
  readonly router?: (app: Express, authmount: Authmount) => void
  readonly login?: RequestHandler
  readonly last?: (app: Express, authmount: Authmount) => void
}

export function onExpress(shape: ExpressShape = {}): Mount {
  const {
    first,
    guard = authmount => [requireToken(authmount, { scopes: ['read:records'] })],
    last,
    login = (_request, response) => void response.send('sign in here'),
    router = (app, authmount) => void app.use(authmountRouter(authmount)),
  } = shape
  return async authmount => {
    const app = express()
    first?.(app, authmount)
    app.get('/login', login)
    router(app, authmount)
    app.get('/records', ...guard(authmount), (_request, response) => void response.json([]))
    last?.(app, authmount)
    return listen(app)
  }
}

export function onFastify(first: (app: FastifyInstance) => void = () => {}, records = true): Mount {
  return async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    first(app)
    await app.register(authmountPlugin, { authmount })
    const preHandler = requireTokenOnFastify(authmount, { scopes: ['read:records'] })
    if (records) app.get('/records', { preHandler }, async () => [])
    app.get('/login', async () => 'sign in here')
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  }
}

const plainExpress = onExpress()
const plainFastify = onFastify()
const both = { express: plainExpress, fastify: plainFastify }
const json = { 'content-type': 'application/json' }
const page = { 'content-type': 'text/html' }

const notFound: RequestHandler = (_request, response) => void response.sendStatus(404)
const spa: RequestHandler = (_request, response) => void response.send('<!doctype html><title>The app</title>')

export const BROKEN: Readonly<Record<string, BrokenMount>> = {
  'issuer is the address of development': {
    mounts: { fastify: plainFastify },
    options: { issuer: 'http://localhost:3000' },
    url: `${ISSUER}/records`,
    finds: { wrong_issuer: /set issuer .* https:\/\/id\.example; behind a proxy/ },
  },
  'clients are given the URL with a slash that resources do not have': {
    mounts: { express: plainExpress },
    options: { resources: [`${ISSUER}/records`] },
    url: '/records/',
    finds: { resource_mismatch: /name https:\/\/id\.example\/records\/ in resources/ },
  },
  'the resource metadata say the issuer with a slash': {
    mounts: { express: plainExpress },
    proxy: rewriting('/.well-known/oauth-protected-resource', document => ({
      ...document,
      authorization_servers: [`${ISSUER}/`],
    })),
    finds: { issuer_mismatch: /issuer, without a slash at the end/ },
  },
  'a proxy removes a prefix of which nobody told authmount': {
    mounts: { fastify: plainFastify },
    proxy: {
      answer: ({ url = '' }) => (url.startsWith('/app/') ? undefined : { status: 404, headers: page, body: 'not here' }),
      path: path => path.slice('/app'.length),
    },
    url: '/app/records',
    finds: {
      resource_metadata_missing: /set proxyPath: '\/app' and issuer: 'https:/,
      server_metadata_missing: /proxyPath: '\/app'/,
    },
  },
  'the router is mounted below a path': {
    mounts: { express: onExpress({ router: (app, authmount) => void app.use('/auth', authmountRouter(authmount)) }) },
    finds: {
      resource_metadata_missing: /app\.use\(authmountRouter\(authmount\)\) without a path/,
      server_metadata_missing: /mountPath/,
    },
  },
  'a 404 handler stands before authmount': {
    mounts: {
      express: onExpress({
        first: (app, authmount) => {
          app.get('/records', requireToken(authmount, { scopes: ['read:records'] }))
          app.use((_request, response) => void response.status(404).json({ error: 'not found' }))
        },
      }),
    },
    finds: {
      resource_metadata_missing: /before every catch-all and 404 handler/,
      server_metadata_missing: /before every catch-all/,
    },
  },
  'a single-page app answers every path that it does not know': {
    mounts: {
      express: onExpress({ first: app => void app.use('/.well-known', spa) }),
      fastify: onFastify(app => {
        app.addHook('onRequest', async ({ url }, reply) => {
          if (url.startsWith('/.well-known')) return reply.type('text/html').send('<!doctype html>')
        })
      }),
    },
    finds: { metadata_not_json: /before the catch-all of the single-page app/ },
  },
  'the guarded route stands behind the 404 handler': {
    mounts: {
      express: onExpress({
        router: (app, authmount) => {
          app.use(authmountRouter(authmount))
          app.use(notFound)
        },
      }),
      fastify: onFastify(() => {}, false),
    },
    finds: { route_not_found: /before the 404 handler or the catch-all/ },
  },
  'the route has no guard': {
    mounts: { express: onExpress({ guard: () => [] }) },
    finds: { route_open: /requireToken\(authmount/ },
  },
  'the host’s own login check answers the route first': {
    mounts: {
      express: onExpress({ guard: () => [(_request, response) => void response.status(401).json({ error: 'sign in' })] }),
      fastify: onFastify(app => {
        app.addHook('onRequest', async ({ url }, reply) => {
          if (url === '/records') return reply.code(401).send({ error: 'sign in' })
        })
      }),
    },
    finds: { challenge_missing: /before any login check of yours/ },
  },
  'a gateway renames the challenge': {
    mounts: { express: plainExpress },
    proxy: {
      change: ({ headers: { 'www-authenticate': challenge, ...headers }, ...passing }) => ({
        ...passing,
        headers: challenge === undefined ? headers : { ...headers, 'x-amzn-remapped-www-authenticate': challenge },
      }),
    },
    finds: { challenge_missing: /map the header back to WWW-Authenticate/, userinfo_not_guarded: /./ },
    options: { sealingKeys: [Buffer.from('the key of a host that signs in!')], signingAlg: 'ES256' },
  },
  'a guard of the host’s own names no metadata': {
    mounts: {
      fastify: onFastify(app => {
        app.addHook('onSend', async ({ url }, reply) => {
          const challenge = String(reply.getHeader('www-authenticate'))
          if (url === '/records')
            reply.header('www-authenticate', challenge.replace(/resource_metadata="[^"]*"/, 'charset="UTF-8"'))
        })
      }),
    },
    finds: { challenge_without_metadata: /add resource_metadata/ },
  },
  'visitors without a session are sent to the login before authmount': {
    mounts: {
      express: onExpress({
        first: app =>
          void app.use('/oauth', (request, response, next) =>
            request.accepts('html') && request.method === 'GET' ? response.redirect('/login') : next(),
          ),
      }),
      fastify: onFastify(app => {
        app.addHook('onRequest', async ({ headers, url }, reply) => {
          if (url.startsWith('/oauth/') && headers.accept?.includes('html')) return reply.redirect('/login')
        })
      }),
    },
    finds: { authorize_redirects: /before the middleware that sends visitors without a session to the login/ },
  },
  'the login page is somewhere else': {
    mounts: both,
    options: { loginUrl: '/sign-in' },
    finds: { login_missing: /set loginUrl/ },
  },
  'something before authmount reads the body of a form': {
    mounts: {
      express: onExpress({
        first: app =>
          void app.use((request, _response, next) => {
            request.on('end', next).resume()
          }),
      }),
      fastify: onFastify(app => {
        app.addHook('preParsing', async (_request, _reply, payload) => {
          for await (const _chunk of payload);
          return payload
        })
      }),
    },
    finds: { token_body_lost: /before your body parsers/ },
  },
  'something before authmount closes the connection of a token request': {
    mounts: { express: onExpress({ first: app => void app.post('/oauth/token', request => void request.socket.destroy()) }) },
    finds: { token_unanswered: /reads the body and keeps it to itself/ },
  },
  'cors() of the host stands before authmount': {
    mounts: { express: onExpress({ first: app => void app.use(cors({ origin: 'https://spa.example' })) }) },
    finds: { metadata_cors: /before app\.use\(cors/, token_cors: /before app\.use\(cors/ },
  },
  'the route lets pages ask, and hides the challenge': {
    mounts: {
      express: onExpress({ guard: authmount => [requireToken(authmount)], first: app => void app.use('/records', cors()) }),
    },
    finds: { route_challenge_hidden: /exposedHeaders/ },
  },
  'the guard answers preflights': {
    mounts: {
      express: onExpress({
        first: (app, authmount) =>
          void app.use('/records', (request, response, next) => {
            if (request.method === 'OPTIONS') return requireToken(authmount)(request, response, next)
            cors({ exposedHeaders: ['WWW-Authenticate'] })(request, response, next)
          }),
      }),
    },
    finds: { route_preflight_guarded: /put cors\(…\) before requireToken/ },
  },
  'a policy of helmet’s stands on the pages': {
    mounts: {
      fastify: onFastify(app => {
        app.addHook('onSend', async (_request, reply) => {
          reply.header('content-security-policy', "default-src 'self';form-action 'self';frame-ancestors 'self'")
        })
      }),
    },
    finds: { page_policy: /leave the Content-Security-Policy of \/oauth\/ alone/ },
  },
  'a proxy adds a policy to the pages': {
    mounts: { express: plainExpress },
    proxy: {
      change: ({ headers, ...passing }) => {
        const policy = [headers['content-security-policy'], "form-action 'self'"].filter(Boolean).join(', ')
        return { ...passing, headers: { ...headers, 'content-security-policy': policy } }
      },
    },
    finds: { page_policy: /take its header out of the proxy/ },
  },
  'a proxy redirects the metadata to www': {
    mounts: { express: plainExpress },
    proxy: {
      answer: ({ url = '' }) =>
        url.startsWith('/.well-known/oauth-authorization-server')
          ? { status: 301, headers: { location: `https://www.id.example${url}` }, body: '' }
          : undefined,
    },
    finds: { metadata_redirected: /make the address that it leads to \(https:\/\/www\.id\.example\) the issuer/ },
  },
  'a proxy redirects everything to https': {
    mounts: { express: plainExpress },
    url: 'http://id.example/records',
    proxy: { answer: ({ url }) => ({ status: 308, headers: { location: `${ISSUER}${url}` }, body: '' }) },
    finds: {
      route_redirects: /give clients https:\/\/id\.example\/records/,
      metadata_redirected: /./,
      issuer_insecure: /set issuer to the https/,
    },
  },
  'a proxy keeps the resource metadata for itself': {
    mounts: { fastify: plainFastify },
    options: { resources: [`${ISSUER}/records`] },
    proxy: {
      answer: ({ url = '' }) =>
        url.startsWith('/.well-known/oauth-protected-resource') ? { status: 404, headers: page, body: 'no' } : undefined,
    },
    finds: { resource_metadata_missing: /let the proxy pass on \/\.well-known\// },
  },
  'a proxy passes on one of the places of the metadata alone': {
    mounts: { express: plainExpress },
    options: { issuer: `${ISSUER}/tenant`, mountPath: '/tenant' },
    proxy: {
      answer: ({ url = '' }) =>
        url.startsWith('/.well-known/o') && !url.includes('oauth-protected-resource')
          ? { status: 404, headers: page, body: 'no' }
          : undefined,
    },
    finds: { server_metadata_place_missing: /pass on \/\.well-known\/ at the root of the host/ },
  },
  'a cache keeps an old copy of the metadata': {
    mounts: { fastify: plainFastify },
    proxy: {
      change: (passing, { url = '' }) =>
        passing.status === 200 && url.includes('.well-known/o') && !url.includes('?') && !url.includes('resource')
          ? {
              ...passing,
              body: JSON.stringify({ ...JSON.parse(String(passing.body)), scopes_supported: ['old', 'offline_access'] }),
            }
          : passing,
    },
    finds: { metadata_cached: /purge it now/ },
  },
  'a proxy lets the metadata be cached for a year': {
    mounts: { fastify: plainFastify },
    proxy: {
      change: (passing, { url = '' }) =>
        url.includes('.well-known')
          ? { ...passing, headers: { ...passing.headers, 'cache-control': 'max-age=31536000' } }
          : passing,
    },
    finds: { metadata_cached: /follow the Cache-Control that authmount sends/ },
  },
  'a gateway rewrites addresses to those of the inside': {
    mounts: { express: plainExpress },
    proxy: rewriting('/.well-known/o', document => ({ ...document, token_endpoint: 'http://backend:3000/oauth/token' })),
    finds: { endpoints_elsewhere: /something in front rewrites the body/ },
  },
  'the metadata list no way without a secret': {
    mounts: { express: plainExpress },
    proxy: rewriting('/.well-known/o', ({ token_endpoint_auth_methods_supported: _methods, ...document }) => ({
      ...document,
      client_id_metadata_document_supported: true,
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    })),
    finds: { no_none: /with none: something in front filters it/ },
  },
  'a static document lists no S256, and OpenID scopes for the resource': {
    mounts: { fastify: plainFastify },
    proxy: rewriting('/.well-known/o', ({ code_challenge_methods_supported: _methods, ...document }) => ({
      ...document,
      scopes_supported: ['openid', 'read:records', 'offline_access'],
    })),
    finds: { no_s256: /lists S256 always/, resource_lists_openid_scopes: /scopes of this API alone/ },
  },
  'a proxy drops the Authorization header': {
    mounts: { fastify: plainFastify },
    proxy: { drops: ['authorization'] },
    finds: { authorization_lost: /pass on Authorization unchanged/, token_authorization_lost: /pass on Authorization unchanged/ },
  },
  'a proxy redirects paths to their form with a slash': {
    mounts: { express: plainExpress },
    proxy: {
      answer: ({ method, url = '' }) =>
        method === 'POST' && url === '/oauth/token'
          ? { status: 301, headers: { location: '/oauth/token/' }, body: '' }
          : undefined,
    },
    finds: { token_redirects: /without its body/ },
  },
  'a CSRF check of the host refuses token requests': {
    mounts: {
      express: onExpress({
        first: app => void app.post('/oauth/token', (_request, response) => void response.status(403).send('CSRF')),
      }),
      fastify: onFastify(app => {
        app.addHook('onRequest', async ({ method }, reply) => {
          if (method === 'POST') return reply.code(403).send('CSRF')
        })
      }),
    },
    finds: { token_not_oauth: /a CSRF check/ },
  },
  'a CDN lets answers with tokens be cached': {
    mounts: { express: plainExpress },
    proxy: {
      change: ({ headers, ...passing }) => ({ ...passing, headers: { ...headers, 'cache-control': 'public, max-age=60' } }),
    },
    finds: { token_cacheable: /as authmount sends it/ },
  },
  'a firewall refuses programs': {
    mounts: { express: plainExpress },
    proxy: {
      answer: ({ headers }) =>
        /python|Go-http/.test(headers['user-agent'] ?? '') ? { status: 403, headers: page, body: 'Are you human?' } : undefined,
    },
    finds: { client_kept_out: /bot protection/ },
  },
  'the app behind a proxy that ends TLS takes the connection for http': {
    mounts: {
      express: onExpress({
        login: (_request, response) => void response.cookie('sid', '1', { httpOnly: true, sameSite: 'lax' }).send('sign in'),
      }),
    },
    finds: { cookie_insecure: /app\.set\('trust proxy', 1\)/ },
  },
  'the cookie of the session does not come along from another site': {
    mounts: {
      express: onExpress({
        login: (_request, response) =>
          void response.cookie('connect.sid', '1', { secure: true, sameSite: 'strict' }).send('sign in'),
      }),
    },
    finds: { cookie_strict: /sameSite: 'lax'/ },
  },
  'registration is the host’s own, and answers as others have': {
    mounts: {
      express: onExpress({
        first: (app, authmount) => {
          app.post('/register', express.json(), async (request, response) => {
            const { client_name: name, redirect_uris: uris, token_endpoint_auth_method: method } = request.body
            const redirectUris = uris.filter((uri: string) => !uri.startsWith('cursor:'))
            if (uris.some((uri: string) => uri.includes('#')))
              return void response.status(400).json({ error: 'invalid_redirect_uri' })
            const isConfidential = method !== 'none'
            const made = await authmount.registerApp(
              { name, redirectUris, isConfidential, allowedScopes: ['read:records'] },
              { orgId: 'org-1', userId: 'anna' },
            )
            response.status(201).json({
              client_id: made.clientId,
              client_secret: made.clientSecret,
              redirect_uris: redirectUris,
              token_endpoint_auth_method: method,
            })
          })
          app.options('/register', cors())
        },
      }),
    },
    proxy: rewriting('/.well-known/o', document => ({ ...document, registration_endpoint: `${ISSUER}/register` })),
    register: true,
    finds: { registration_answer: /option clients/, registration_left: /by hand/, loopback_port: /loopbackLocalhost: true/ },
  },
  'the metadata name a registration endpoint that is not there': {
    mounts: { fastify: plainFastify },
    proxy: {
      ...rewriting('/.well-known/o', document => ({ ...document, registration_endpoint: `${ISSUER}/register` })),
      answer: ({ method, url }) =>
        method === 'POST' && url === '/register' ? { status: 404, headers: json, body: '{}' } : undefined,
    },
    finds: { registration_cors: /./, registration_missing: /option clients/ },
  },
  'a firewall refuses requests without a token in its own way': {
    mounts: { express: plainExpress },
    proxy: { answer: ({ url }) => (url === '/records' ? { status: 403, headers: page, body: 'no' } : undefined) },
    finds: { route_not_401: /first that answers on this route/ },
  },
  'the route fails': {
    mounts: { fastify: plainFastify },
    proxy: { answer: ({ url }) => (url === '/records' ? { status: 502, headers: page, body: 'no' } : undefined) },
    finds: { route_failed: /log of your server/ },
  },
  'the route is an open stream': {
    mounts: {
      express: onExpress({ guard: () => [(_request, response) => void response.type('text/event-stream').write(': hello\n\n')] }),
    },
    finds: { route_open: /guard it/ },
  },
  'tokens cannot be checked': {
    mounts: { fastify: plainFastify },
    proxy: {
      answer: ({ headers }) =>
        headers.authorization?.startsWith('Bearer') ? { status: 500, headers: page, body: 'no' } : undefined,
    },
    finds: { token_check_failed: /the store does not answer/ },
  },
  'the resource metadata are where nobody looks': {
    mounts: { express: plainExpress },
    proxy: {
      answer: ({ url = '' }) =>
        url.startsWith('/.well-known/oauth-protected') ? { status: 404, headers: page, body: 'no' } : undefined,
      path: path => (path === '/resource' ? '/.well-known/oauth-protected-resource' : path),
      change: ({ headers, ...passing }) => {
        const challenge = headers['www-authenticate']?.replace('/.well-known/oauth-protected-resource', '/resource')
        return { ...passing, headers: challenge === undefined ? headers : { ...headers, 'www-authenticate': challenge } }
      },
    },
    finds: { resource_metadata_unusual: /let the proxy pass on/ },
  },
  'the resource metadata name no server': {
    mounts: { fastify: plainFastify },
    proxy: rewriting('/.well-known/oauth-protected', document => ({ ...document, authorization_servers: [] })),
    finds: { no_authorization_server: /with issuer in authorization_servers/ },
  },
  'the documents were written by hand': {
    mounts: { express: plainExpress },
    proxy: {
      change: (passing, { url = '' }) => {
        if (passing.status !== 200 || !url.startsWith('/.well-known/o')) return passing
        const { authorization_endpoint: _authorize, token_endpoint: _token, ...document } = JSON.parse(String(passing.body))
        const body = JSON.stringify({ ...document, bearer_methods_supported: ['body'], response_types_supported: ['token'] })
        return { ...passing, headers: { ...passing.headers, 'content-type': 'text/plain' }, body }
      },
    },
    finds: {
      metadata_type: /sets its own Content-Type/,
      resource_without_header: /as authmount makes it/,
      no_code: /as authmount makes it/,
      authorize_unnamed: /as authmount makes it/,
      token_unnamed: /as authmount makes it/,
    },
  },
  'the two documents of the server differ': {
    mounts: { fastify: plainFastify },
    proxy: rewriting('/.well-known/openid', document => ({ ...document, scopes_supported: ['old'] })),
    finds: { server_metadata_differ: /serve both from the same authmount/ },
  },
  'a proxy passes on the metadata, and not the routes': {
    mounts: { express: plainExpress },
    options: { sealingKeys: [Buffer.from('the key of a host that signs in!')], signingAlg: 'ES256' },
    proxy: {
      answer: ({ url = '' }) => (/^\/oauth\/|jwks/.test(url) ? { status: 404, headers: page, body: 'no' } : undefined),
    },
    finds: {
      authorize_missing: /set mountPath \(or proxyPath/,
      token_missing: /The proxy must pass on POST/,
      token_cors: /before app\.use\(cors/,
      keys_missing: /let the proxy pass on/,
      userinfo_not_guarded: /before the middleware or catch-all/,
    },
  },
  'the route lets pages ask, and not read': {
    mounts: {
      express: onExpress({ first: app => void app.options('/records', cors({ allowedHeaders: ['x-own'] })) }),
    },
    finds: {
      route_preflight: /allow the headers authorization, content-type/,
      route_401_cors: /so that the 401 has its headers too/,
    },
  },
  'an authorization endpoint of the host’s own redirects anywhere': {
    mounts: {
      express: onExpress({
        first: app => void app.get('/oauth/authorize', ({ query }, response) => response.redirect(String(query.redirect_uri))),
      }),
    },
    finds: { authorize_open_redirect: /must never be redirected to/ },
  },
  'the authorization endpoint fails': {
    mounts: {
      fastify: onFastify(app => {
        app.addHook('onRequest', async ({ url }) => {
          if (url.startsWith('/oauth/authorize')) throw new Error('broken')
        })
      }),
    },
    finds: { authorize_failed: /log of your server/ },
  },
  'registration is redirected': {
    mounts: { express: plainExpress },
    proxy: {
      ...rewriting('/.well-known/o', document => ({ ...document, registration_endpoint: `${ISSUER}/register` })),
      answer: ({ method, url }) =>
        method === 'POST' && url === '/register' ? { status: 301, headers: { location: '/register/' }, body: '' } : undefined,
    },
    finds: { registration_cors: /./, registration_redirects: /loses its body/ },
  },
  'registration refuses everybody': {
    mounts: { fastify: plainFastify },
    proxy: {
      ...rewriting('/.well-known/o', document => ({ ...document, registration_endpoint: `${ISSUER}/register` })),
      answer: ({ method, url }) =>
        method === 'POST' && url === '/register'
          ? { status: 400, headers: json, body: '{"error":"invalid_client_metadata","error_description":"not here"}' }
          : undefined,
    },
    register: true,
    finds: { registration_cors: /./, registration_refused: /who may register/ },
  },
}
