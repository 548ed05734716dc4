/** What the pages promise, and which test holds it: a sentence or a part of one, a file below `test/`, words of a test's name. */
export type Promised = readonly [sentence: string, file: string, test: string]

/** By heading, `''` for what stands above the first one. A text in place of rows says why a section promises nothing to test. */
export type Page = Readonly<Record<string, readonly Promised[] | string>>

const SECURITY: Page = {
  '': [
    [
      'Where a promise names a race or a fault, a test runs it.',
      'promises.test.ts',
      'each promise is in its page, and its test in its file',
    ],
  ],
  'What is to be protected, and from whom': 'names what the sections after it promise',
  Authorization: [
    [
      'A browser is sent only to an address that the app has registered.',
      'oauth/authorize.test.ts',
      'a redirect URI that is not the registered one, byte for byte',
    ],
    ['the port may differ (RFC 8252 §7.3)', 'oauth/authorize.test.ts', 'the port of a loopback address may differ'],
    ['of `localhost` only if you say so', 'oauth/authorize.test.ts', 'the port of localhost may differ where the host says so'],
    [
      'Before somebody has signed in nothing is redirected to an app',
      'oauth/authorize.test.ts',
      'nobody is sent to an app’s address before they have signed in',
    ],
    [
      'a logout of nobody ends on a page with a link',
      'oidc/logout.test.ts',
      'the host’s page decides, and the browser then returns to the app',
    ],
    [
      'No wildcards can be registered; no `javascript:` and its kin',
      'unit/register-app.test.ts',
      'redirect URIs that lead astray cannot be registered',
    ],
    [
      'Nobody gets round a [step](sign-in.md#steps).',
      'oauth/steps.test.ts',
      'a browser goes through the steps in their order, and only the server of the host lets it on',
    ],
    [
      'Only your server passes one, once, and what it passed counts once',
      'oauth/steps.test.ts',
      'of twenty calls that pass one step at once, one does',
    ],
    [
      'for the user, the session and the request for which the browser was sent there, for ten minutes',
      'oauth/steps.test.ts',
      'the id of a step is of its user, session and request, and passes once',
    ],
    [
      'No answer to `prompt=none` and no consent in JSON goes past a step that is missing',
      'oauth/steps.test.ts',
      'a request that allows no page is answered interaction_required, and one in JSON too',
    ],
    [
      'A code is of use to its app alone.',
      'oauth/token-code.test.ts',
      'a code becomes tokens once, for its app, its address and its verifier',
    ],
    ['Public apps must use PKCE with S256', 'oauth/authorize.test.ts', 'a public app must send an S256 challenge'],
    ['One wrong verifier kills the code', 'oauth/token-code.test.ts', 'a wrong verifier kills the code'],
    ['A code is good once, for a minute.', 'oauth/lifetimes.test.ts', 'an authorization code'],
    [
      'of twenty redemptions at once, at most one succeeds',
      'oauth/token-code.test.ts',
      'of twenty simultaneous redemptions of each of twenty codes',
    ],
    ['in any number of processes', 'chaos/races.test.ts', 'codes, each redeemed 20 times at once'],
    [
      'A code that comes back ends what it was redeemed for',
      'oauth/token-code.test.ts',
      'a code used twice ends what its first use was given',
    ],
    ['also at the very same moment', 'oauth/token-code.test.ts', 'of a code that is presented twice at the same moment'],
    [
      'A pushed request is what its app sent.',
      'oauth/pushed-requests.test.ts',
      'a request_uri is its client’s alone, and a guessed one is nobody’s',
    ],
    [
      'what stands beside it in the URL is ignored',
      'oauth/pushed-requests.test.ts',
      'parameters beside a request_uri count for nothing',
    ],
    ['It is good for nine minutes and one answer', 'oauth/pushed-requests.test.ts', 'a pushed request is good for its time'],
    [
      'of several answers at once, one is a code',
      'oauth/pushed-requests.test.ts',
      'of pushed requests that are opened several times at once',
    ],
    ['One that was answered, has expired, is another app', 'oauth/pushed-requests.test.ts', 'a pushed request is answered once'],
    ['Nobody agrees unknowingly.', 'oauth/consent.test.ts', 'a form without the id of an open screen is refused'],
    [
      'for the user who opened it, and with `sessionId` for their session',
      'oauth/consent.test.ts',
      'a screen can be answered only by the one who opened it',
    ],
    ['It is good once, for ten minutes', 'oauth/lifetimes.test.ts', 'a consent screen'],
    ['The page cannot be framed or scripted', 'oauth/consent.test.ts', 'the page can be neither framed nor scripted'],
    ['A second click gets the code of the first', 'oauth/consent.test.ts', 'twenty clicks on Allow give one code'],
    [
      'Nothing an app calls itself is read as HTML',
      'oauth/consent.test.ts',
      'the page says who asks, as whom, for what, and where it leads',
    ],
    [
      'turns the direction of the text around it',
      'oauth/consent.test.ts',
      'what an app calls itself cannot turn the direction of the text around it',
    ],
    ['Optional scopes start unticked', 'oauth/optional-scopes.test.ts', 'optional scopes start unticked'],
    ['but for those the user allowed the app before', 'oauth/optional-scopes.test.ts', 'what was allowed before is ticked'],
    ['a name that was not offered is refused', 'oauth/optional-scopes.test.ts', 'what was not offered cannot be ticked'],
    ['a second click cannot change the answer', 'oauth/optional-scopes.test.ts', 'two tabs that are answered differently'],
    [
      'An app that anybody on the device could pose as',
      'oauth/authorize.test.ts',
      'a public app on an address that anyone could take',
    ],
    [
      'A code that somebody else planted is found out.',
      'oauth/authorize.test.ts',
      'state may be left out where a challenge or a nonce protects',
    ],
    ['A client can tell who answered it.', 'oauth/authorize.test.ts', 'state comes back as it was'],
    ["An app's token is not a login.", 'oauth/authorize.test.ts', 'a token that authmount issued is not a login'],
  ],
  'Clients that nobody registered': [
    ['A name is not believed.', 'self-registered/documents.test.ts', 'the page names the host of the client, not the name'],
    ['Strangers make this server call nobody.', 'self-registered/documents.test.ts', 'strangers make this server read nothing'],
    ['5 KiB and 5 seconds at most', 'self-registered/documents.test.ts', 'of 5 KiB and a byte'],
    ['once at a time', 'self-registered/documents.test.ts', 'two hundred at once read a document once'],
    ['within a budget by user and by host', 'self-registered/documents.test.ts', 'a user, and a host of documents, has a budget'],
    ['What the user saw is what is issued.', 'self-registered/documents.test.ts', 'what the user saw is what is issued'],
    ['They get little.', 'self-registered/documents.test.ts', 'sensitive scopes, those of connectors'],
    ['An organisation can keep one out.', 'self-registered/admission.test.ts', 'refusing a client ends what it holds'],
    [
      'your code can block a client for everyone',
      'self-registered/documents.test.ts',
      'the host can block a client for everyone',
    ],
    ['Nothing grows for ever.', 'self-registered/documents.test.ts', 'a client that nobody uses is forgotten'],
  ],
  Tokens: [
    ['They cannot be guessed.', 'unit/known-answers.test.ts', 'codes, tokens and secrets have 256 random bits'],
    ['A copy of the database holds none.', 'oauth/secrets.test.ts', 'no secret, code, token or verifier is ever stored'],
    ["a refresh's answer under the spent token itself", 'unit/sealed-successor.test.ts', 'what the store knows opens nothing'],
    ['each for its purpose and owner', 'unit/known-answers.test.ts', 'what was sealed, and then altered'],
    [
      'A revocation counts at once, on your server.',
      'oauth/revoke-introspect.test.ts',
      'revoking a refresh token ends its grant',
    ],
    ['JWTs included', 'oidc/jwt-attacks.test.ts', 'a JWT is revoked here at once'],
    [
      'which also ends what another process is issuing at that moment',
      'apps/effects.test.ts',
      'of tokens issued before everything is revoked, none works afterwards',
    ],
    ['"Revoke all" and "delete" are one write', 'apps/effects.test.ts', 'of tokens issued while an app is deleted'],
    [
      'A stolen refresh token is noticed.',
      'oauth/token-refresh.test.ts',
      'a rotated token that comes back after the grace ends its grant',
    ],
    [
      'Two tabs and a lost reply log nobody out.',
      'oauth/token-refresh.test.ts',
      'twenty simultaneous refreshes in the grace all get the same successor',
    ],
    ['Within `rotationGraceSeconds` (10)', 'oauth/lifetimes.test.ts', 'the grace of a refresh'],
    ['as long as that is unused', 'oauth/token-refresh.test.ts', 'the grace covers only the immediate predecessor'],
    [
      'A token does no more than was agreed.',
      'oauth/token-refresh.test.ts',
      'asking for more is refused, and the token stays good',
    ],
    [
      'a scope that the app or the catalogue has lost is missing from the next refresh',
      'oauth/token-refresh.test.ts',
      'a scope that the app has lost is missing from the next refresh',
    ],
    ['is refused at another', 'oauth/audience.test.ts', 'a token is for the resource that was asked for'],
    ['A rule of yours is never passed over.', 'oauth/rules.test.ts', 'whichever function of the host’s fails, and however'],
    ['A denied refresh ends the grant', 'oauth/rules.test.ts', 'a denial is answered to the client'],
    ['gets the same tokens with the same claims', 'oauth/rules.test.ts', 'a retry of a refresh gets the same tokens and claims'],
    ['can replace nothing that authmount says', 'oauth/rules.test.ts', 'a JWT has the claims as its own'],
    ['A secret is never replaced by something else.', 'oauth/client-auth.test.ts', 'a verifier never replaces a secret'],
    ['One method per request', 'oauth/client-auth.test.ts', 'two methods at once are invalid_request'],
    [
      'are told apart neither by words',
      'oauth/client-auth.test.ts',
      'unknown, suspended, deleted and wrong secret answer in identical bytes',
    ],
    [
      'An app cannot ask about or end tokens of another.',
      'oauth/revoke-introspect.test.ts',
      'another app can neither revoke a token nor learn of it',
    ],
    ['works once', 'oauth/private-key-jwt.test.ts', 'of fifty requests with one assertion at once one succeeds'],
    [
      'Replayed, forged, confused and unknown are one answer',
      'oauth/private-key-jwt.test.ts',
      'an assertion that is wrong in any way is invalid_client, and spends nothing',
    ],
    ['A signed token means what it says.', 'oidc/jwt-attacks.test.ts', 'a JWT that was forged, altered or confused'],
    ['keeps ID tokens and access tokens apart', 'oidc/jwt-attacks.test.ts', 'a JWT access token is no ID token hint'],
  ],
  'Your server': [
    [
      'Signing out reaches the apps.',
      'oidc/back-channel-logout.test.ts',
      'an app is told of a sign-out by a token that it can verify',
    ],
    [
      'a code of it can no longer be redeemed',
      'oidc/back-channel-logout.test.ts',
      'no code of an ended session becomes a grant, and no refresh outlives it',
    ],
    ['at public `https` addresses alone', 'oidc/back-channel-logout.test.ts', 'nothing but a public address is called'],
    [
      'in three tries, and an event says who was not',
      'oidc/back-channel-logout.test.ts',
      'an app that cannot be told is tried three times at most',
    ],
    [
      "No user's session ends with another's",
      'oidc/back-channel-logout.test.ts',
      'only what belongs to this user and this session ends',
    ],
    ['Input is what it seems.', 'http/surface.test.ts', 'anything but one string is a clean 400'],
    ['Bodies end at 16 KiB', 'http/bounds.test.ts', 'bytes of a form'],
    ['those of the management API at 64', 'http/bounds.test.ts', 'bytes of a body of the management API'],
    [
      'compressed ones and other media types are refused',
      'http/surface.test.ts',
      'a body of another type, or none, is 400 or 415',
    ],
    ['JSON is nested at most 64 deep', 'http/bounds.test.ts', 'depth of JSON'],
    ['an authorization request has at most 12,288 characters', 'http/bounds.test.ts', 'characters of an authorization request'],
    ['Ids are hashed before they become keys', 'store/redis.test.ts', 'whatever the ids, every key is plain'],
    [
      'Errors tell nothing of the inside.',
      'oauth/secrets.test.ts',
      'whatever a store throws, the client hears the same fixed words',
    ],
    [
      'A failing database is never a false answer.',
      'oauth/store-faults.test.ts',
      'survives a store that fails at any of its calls',
    ],
    ['gets the answer of the first, and is announced at least once', 'oauth/ends.test.ts', 'a user takes an app back'],
    ['An organisation sees its own apps alone.', 'apps/crud.test.ts', 'nobody but an admin of the app’s own organisation'],
    [
      'Fields a caller may not set are refused by name',
      'apps/crud.test.ts',
      'fields that are not the caller’s to set are refused',
    ],
    [
      "Another site cannot make an admin's browser change apps.",
      'apps/crud.test.ts',
      'a page of another site cannot make an admin’s browser change anything',
    ],
    ['an `Origin` other than your own is refused', 'apps/crud.test.ts', 'a foreign Origin changes nothing'],
    ['Ten changes a minute', 'apps/limits.test.ts', 'an admin makes ten changes a minute'],
    [
      'Cross-origin pages read only what is theirs.',
      'http/surface.test.ts',
      'a page of another origin reads the answers of its own app',
    ],
    ['and at its `allowedOrigins`', 'http/cors.test.ts', 'a page at an allowed origin of an app reads its answers'],
    [
      'Nothing is believed of `Host` or `X-Forwarded-*`.',
      'oauth/discovery.test.ts',
      'the metadata says what works, and all it names is there',
    ],
    [
      'Nobody fills the store for the others.',
      'http/floods.test.ts',
      'strangers who ask for a login without end fill the store for nobody',
    ],
  ],
  Connectors: [
    [
      "One user's outside account never ends up with another.",
      'connectors/attacks.test.ts',
      'a flow ends only in a browser of the user who began it',
    ],
    ['The state is good once, for ten minutes', 'connectors/attacks.test.ts', 'a state is good for ten minutes'],
    ['leads nowhere inside', 'connectors/attacks.test.ts', 'no address is called that is not public, whatever a connector says'],
    [
      'checked on the very addresses that are connected to',
      'connectors/outbound.test.ts',
      'a name that changes its address between two requests is vetted at both',
    ],
    [
      'no redirects; 10 seconds; 1 MiB',
      'connectors/outbound.test.ts',
      'a redirect is not followed, so what was sent is sent once',
    ],
    ['10 seconds; 1 MiB', 'connectors/outbound.test.ts', 'silence ends in time, wherever it falls'],
    ['1 MiB', 'connectors/outbound.test.ts', 'a body is taken up to the limit, and not one byte over'],
    [
      'An answer is believed only as far as it is proven.',
      'connectors/outside.test.ts',
      'a front end’s code is exchanged, for the address that the provider has verified',
    ],
    [
      'A token of one owner cannot be moved to another.',
      'connectors/attacks.test.ts',
      'what was sealed for one does not open for another',
    ],
  ],
  Profiles: [
    [
      'names every option that contradicts it when the server starts',
      'oauth/profiles.test.ts',
      'options that contradict a profile are named, each',
    ],
    [
      'every app when it is registered or changed',
      'oauth/profiles.test.ts',
      'apps that contradict it cannot be registered or changed',
    ],
    ['every request of an app from before', 'oauth/profiles.test.ts', 'apps from before the profile get nothing any more'],
    ['PKCE with S256', 'oauth/profiles.test.ts', 'oauth2.1: every app uses PKCE'],
    ['the refresh token stays', 'oauth/profiles.test.ts', 'a refresh token stays, and every refresh adds an access token'],
    ['Apps that contradict it get nothing new', 'oauth/profiles.test.ts', 'apps from before the profile get nothing any more'],
  ],
  'What is not promised': [
    ['which counts from the next refresh on', 'oauth/rules.test.ts', 'of a user who is disabled while an app refreshes'],
    ['gives each grant an end', 'oauth/rules.test.ts', 'a grant ends after so many days'],
    ['hears of revocations only [if you tell it]', 'verify.test.ts', 'an event ends what was ended at home, and nothing else'],
    ['What can be stored or guessed is [limited]', 'http/floods.test.ts', 'wrong secrets are refused after a while'],
  ],
  'Settings that make it weaker': [
    ['`allowPlainPkce`', 'oauth/token-code.test.ts', 'plain works where the host has enabled it'],
    ['`connectors.unboundCallbacks`', 'connectors/attacks.test.ts', 'where callbacks are not bound, anybody may bring one'],
    ['`loopbackLocalhost` trusts', 'oauth/authorize.test.ts', 'the port of localhost may differ where the host says so'],
  ],
  'Report a weakness': 'tells people what to do',
}

const STORAGE: Page = {
  '': [
    ['the contract that `authmount/testing` runs is the same', 'store/mutants.test.ts', 'the contract notices that'],
    [
      'A code, a consent screen or a refresh token is used once, by whichever process.',
      'chaos/races.test.ts',
      'codes, each redeemed 20 times at once',
    ],
    ['and its sender hears of its success', 'chaos/redis-faults.test.ts', 'a thousand replies lost after the write'],
    [
      'What has expired is absent at that millisecond',
      'store/memory-bounds.test.ts',
      'an expired record is absent at its very instant',
    ],
    [
      'Records keep fields and values that this version of authmount does not know',
      'store/mutants.test.ts',
      'every case catches a broken store',
    ],
    ['Nothing usable is stored', 'oauth/secrets.test.ts', 'no secret, code, token or verifier is ever stored'],
    [
      'none of it reaches a key, a pattern or an operator',
      'store/mongo-formats.test.ts',
      'no text from outside is the name of a field, an operator or a pattern',
    ],
    [
      'A database that fails or hangs makes requests end in 503',
      'oauth/store-faults.test.ts',
      'survives a store that fails at any of its calls',
    ],
    ['no token or code comes of it that nobody was given', 'oauth/store-faults.test.ts', 'redeeming a code'],
    [
      'is refused with an error and left as it is',
      'store/redis-records.test.ts',
      'a record of another version, or a damaged one, is refused',
    ],
    [
      'It keeps no other record from being revoked.',
      'store/redis-records.test.ts',
      'a grant of another version does not keep the others from being revoked',
    ],
  ],
  Redis: [
    ['a decision counts once so many replicas have it', 'store/redis.test.ts', 'a decision counts once enough replicas have it'],
    ['is told, once, when the server evicts keys', 'store/redis.test.ts', 'a server whose settings lose data is warned of, once'],
    ['requests that need one are answered 503, revocations included', 'chaos/redis-faults.test.ts', 'a server out of memory'],
    ['An ACL user needs', 'store/redis.test.ts', 'the rights that the documentation names are enough'],
    [
      '**Round trips**, which a test holds it to',
      'store/redis.test.ts',
      'no operation makes more round trips than the documentation says',
    ],
    [
      'it is asked for once in a turn of the event loop',
      'store/redis.test.ts',
      'an app that many ask for in one turn of the event loop is read once',
    ],
    ['holds from the next request on', 'apps/effects.test.ts', 'a suspended app gets nothing new'],
    ['no caller can choose a key or a slot', 'store/redis.test.ts', 'whatever the ids, every key is plain'],
    ['a test holds it to 700', 'store/redis-records.test.ts', 'a live token costs Redis at most 700 bytes'],
    ['Redis forgets keys by their time to live', 'store/redis.test.ts', 'everything that expires has a time to live'],
    [
      'Expired members of indexes are removed by writes',
      'store/redis-indexes.test.ts',
      'an index of tokens loses what has expired',
    ],
    [
      'A grant that is refreshed for ever sheds its expired tokens',
      'store/redis-indexes.test.ts',
      'a grant that is refreshed for ever loses what has expired',
    ],
    ['`KEYS` and `SCAN` are not used', 'store/redis.test.ts', 'no command fails, within scripts or outside'],
    ['A page reads its own apps.', 'store/redis-indexes.test.ts', 'apps: a list reads a page of records'],
  ],
  MongoDB: [
    [
      'Reads go to the primary with read concern `majority`',
      'store/mongo-commands.test.ts',
      'everything is read from the primary and written to a majority',
    ],
    [
      'eight processes that boot at once create them once',
      'store/mongo.test.ts',
      'eight stores that boot at once create the indexes once',
    ],
    [
      'that one call sends, which a test holds it to',
      'store/mongo-commands.test.ts',
      'each method sends as few commands as it can',
    ],
    ['One index answers every combination', 'store/mongo-commands.test.ts', 'every query has an index that answers it'],
    ['A search looks through the newest 1,000 names', 'store/mongo.test.ts', 'a search looks through the newest thousand names'],
    ['ten minutes after its expiry', 'store/mongo.test.ts', 'the server sweeps only what has been expired for a while'],
    ['The store does not wait for that', 'store/mongo.test.ts', 'what has expired is absent, though the server has not swept it'],
  ],
  Memory: [
    [
      'whatever would add a record is refused',
      'store/memory-bounds.test.ts',
      'a store that is full refuses to write, and goes on reading',
    ],
    ['a change to a record that is there', 'store/memory-bounds.test.ts', 'apps and consents are counted too'],
    ['removed in slices of 4 milliseconds', 'store/memory-bounds.test.ts', 'what has expired is swept by itself'],
  ],
  'A store of your own': [
    ['A `Store` has 24 methods in six parts.', 'promises.test.ts', 'a store has as many methods as the page says'],
  ],
  'What a store must do': [
    ['**ATOMIC** marks eleven methods', 'promises.test.ts', 'a store has as many methods as the page says'],
    ['Writes are idempotent.', 'store/mutants.test.ts', 'the contract notices that'],
    ['`save` rejects any other', 'store/mutants.test.ts', 'every case catches a broken store'],
  ],
  'The schema': [
    ['Grants and tokens are two tables', 'examples.test.ts', 'what the documents show of the custom store is in its files'],
  ],
  'consume and claim': [['exactly one may be first', 'examples.test.ts', 'the custom store passes the contract']],
  'rotate and add': [
    ['a sweep skips what is locked', 'store/postgres.test.ts', 'a sweep never ends a grant that a rotation prolongs'],
    [
      'is retried with its whole transaction',
      'store/postgres.test.ts',
      'a transaction that PostgreSQL ends to break a deadlock is run again',
    ],
  ],
  save: [['A write counts only if the stored version is one less', 'examples.test.ts', 'the custom store passes the contract']],
  'Run the contract': [
    ['a lost race says how many calls were told that they won', 'store/mutants.test.ts', 'a lost race says how many won'],
    ['what your store threw is the `cause`', 'store/mutants.test.ts', 'what a store throws is the cause'],
  ],
  'Before production': [
    ['the retries cover a few simultaneous callers', 'store/postgres.test.ts', 'where the server is stricter by default'],
    ['Nothing depends on when it runs', 'store/postgres.test.ts', 'a sweep deletes what has expired, and nothing else'],
  ],
  'MariaDB and MySQL': 'advice for a store that is not ours',
  'Try them': [['Each start registers', 'examples.test.ts', 'npm start serves the']],
  'On a bad day': [
    ['four processes that race for the same codes', 'chaos/races.test.ts', 'four processes'],
    ['a Redis that is killed', 'chaos/redis-faults.test.ts', 'killed and started again'],
    ['a Cluster that moves slots and loses a primary', 'chaos/redis-cluster.test.ts', 'values, each consumed or claimed twice'],
  ],
}

const OPERATIONS: Page = {
  '': 'says what the page is about',
  'Before you go live': 'a list of what to do',
  'More than one process': [
    ['Any number of processes may serve one issuer', 'chaos/races.test.ts', 'four processes'],
    ['known everywhere long before it signs', 'oidc/keys.test.ts', 'a new key is published long before it signs'],
    ['each process allows as much', 'apps/shared-limit.test.ts', 'four hosts over one Redis let an admin make ten changes'],
    [
      'a day, 100,000 at most, and until the process ends',
      'verify-revocations.test.ts',
      'revocations are kept for as long as an access token can live',
    ],
    ['so a suspension or a revocation counts everywhere at once', 'apps/effects.test.ts', 'a suspended app gets nothing new'],
    ['are safe under eight processes', 'oidc/keys.test.ts', 'eight instances that boot at once end with one ring'],
  ],
  'Behind a proxy': [
    [
      'neither `Host` nor `X-Forwarded-For` is believed or needed',
      'oauth/discovery.test.ts',
      'the metadata says what works, and all it names is there',
    ],
    ['then begins with `/app`', 'http/stripping-proxy.test.ts', 'behind a proxy that strips a prefix, nothing leads outside it'],
    [
      'one that begins with `proxyPath` is refused at the start',
      'http/stripping-proxy.test.ts',
      'a mountPath that repeats what the proxy removes is refused',
    ],
  ],
  'What it costs': [
    ['A store over the network adds its one round trip', 'store/redis.test.ts', 'no operation makes more round trips'],
  ],
  Time: [
    ['Expiry is judged by the clock of the process that answers', 'oauth/lifetimes.test.ts', 'each lifetime ends at its instant'],
    [
      'A request waits for the store for `storeTimeoutMs`',
      'oauth/store-faults.test.ts',
      'survives a store that fails at any of its calls',
    ],
    ['for each function of yours for `hookTimeoutMs`', 'oauth/secrets.test.ts', 'a hook that throws, hangs or talks nonsense'],
    [
      'is answered once they are stored and revoked again',
      'extensions/custom-grant.test.ts',
      'tokens that the store is still writing at the deadline are revoked',
    ],
    ["the store's time does not run", 'unit/deadlines.test.ts', 'what holds up the process is not counted as waiting'],
    ['`connectorToken` may take 35 s', 'chaos/connectors.test.ts', 'a process dies'],
    ["Nothing of authmount's keeps the process alive", 'connectors/outbound.test.ts', 'requests keep no process alive'],
    ['Other services allow for five seconds', 'verify.test.ts', 'a token says the same elsewhere as at home'],
  ],
  'Keys and secrets': 'a heading of sections',
  'Signing keys': [
    ['rotate by themselves every 90 days', 'oidc/keys.test.ts', 'a key is replaced by itself when it is old'],
    ['A new key is published for 20 minutes before it signs', 'oidc/keys.test.ts', 'a new key is published long before it signs'],
    ['begins a rotation at once', 'chaos/key-rotation.test.ts', 'four processes, from the new key'],
    [
      'reads the keys again before it believes any that are older than five minutes',
      'verify-keys.test.ts',
      'keys older than five minutes are read before they are believed',
    ],
    [
      'believes the old keys for an hour',
      'verify-keys.test.ts',
      'while the keys cannot be read, those at hand are good for an hour',
    ],
    [
      'a service may be given the old set',
      'verify-keys.test.ts',
      'of ten good tokens at once, none is refused after the ring was replaced',
    ],
  ],
  'Sealing keys': [
    ['To change it without an outage', 'connectors/attacks.test.ts', 'sealing keys are rotated while two hosts run'],
    [
      'What is sealed under a key that is gone cannot be read',
      'oidc/keys.test.ts',
      'sealing keys are changed by putting a new one first',
    ],
  ],
  'Secrets of apps': [
    [
      'with an overlap if need be',
      'apps/effects.test.ts',
      'a regenerated secret replaces the old one at once, or after an overlap',
    ],
    ['`am_cs_`, `am_at_`, `am_rt_` and `am_ac_`', 'unit/known-answers.test.ts', 'codes, tokens and secrets have 256 random bits'],
  ],
  'Secrets at providers': [
    [
      'It is asked again for every flow and refresh',
      'connectors/tokens.test.ts',
      'a refresh goes to the address that the provider has for it',
    ],
  ],
  Backups: [
    [
      'codes, tokens, consent screens, states, ids of your sessions',
      'oauth/secrets.test.ts',
      'no secret, code, token or verifier is ever stored',
    ],
    [
      'signing keys, tokens of providers',
      'connectors/attacks.test.ts',
      'what the store keeps is sealed, under a fresh IV each time',
    ],
    ['only with the spent token', 'unit/sealed-successor.test.ts', 'another token opens nothing'],
    [
      'end everything. Apps must then ask for new tokens; users need not agree again',
      'docs.test.ts',
      'the functions of “Operations” end everything after a restore',
    ],
  ],
  Events: [
    [
      'What `onEvent` throws is logged and fails no request',
      'oauth/secrets.test.ts',
      'an event sink that throws or rejects fails no request',
    ],
    [
      'No event contains a token, code or secret.',
      'oauth/events.test.ts',
      'each event comes once, with all that it says and no secret',
    ],
    ['Every event has `type` and `at`', 'oauth/events.test.ts', 'each event comes once, with all that it says and no secret'],
  ],
  'The log': [
    [
      'in words that contain no token, code or secret',
      'oauth/secrets.test.ts',
      'no secret, code, token or verifier is ever stored, logged',
    ],
    ['none of that is handed on', 'oauth/secrets.test.ts', 'of an error the log receives name, message, code, stack and causes'],
    ['The lines worth knowing', 'docs.test.ts', 'every line of the log is described'],
    [
      'goes well until half of `publishSeconds`',
      'oidc/keys.test.ts',
      'a ring that cannot be read again is good for half of publishSeconds',
    ],
  ],
  'Rate limits': [
    ['changes to apps, by organisation and admin', 'apps/limits.test.ts', 'an admin makes ten changes a minute'],
    ['Above a limit the answer is 429 with `Retry-After`', 'http/floods.test.ts', 'a person who did too much reads it on a page'],
    [
      'A right secret is never locked out by wrong ones from elsewhere',
      'http/floods.test.ts',
      'wrong secrets are refused after a while, and a right one from elsewhere never is',
    ],
    ['`false` switches a limit off', 'http/floods.test.ts', 'each limit can be switched off, and set'],
    [
      'A private address is never limited',
      'http/floods.test.ts',
      'a private address is not limited, and the log says once what to set',
    ],
    ['this process counts for itself until the database is back', 'apps/limits.test.ts', 'when the limiter’s store'],
    [
      'Without the option [`rateLimiter`]',
      'apps/shared-limit.test.ts',
      'four hosts over one Redis let an admin make ten changes',
    ],
  ],
  'After a 503': [
    [
      'revocation, taking an app back, ending one device, a logout, `endSession`, deleting an app, revoke-all, suspend, activate',
      'oauth/ends.test.ts',
      'revoking a refresh token',
    ],
    ['the same successor, within `rotationGraceSeconds`', 'oauth/store-faults.test.ts', 'refreshing'],
    ['`invalid_grant`, and a `code_replay` event if the code was spent', 'oauth/store-faults.test.ts', 'redeeming a code'],
    ['the same click works again', 'oauth/store-faults.test.ts', 'agreeing'],
    ['The old one may have stopped with the first: repeat it', 'oauth/ends.test.ts', 'a secret is replaced'],
  ],
  Health: [
    [
      'Resolves if the store answers within a second.',
      'docs.test.ts',
      'the functions of “Operations” end everything after a restore, and tell whether the store answers',
    ],
  ],
  'What to alert on': [['`refresh_reuse`, more than a few a day', 'docs.test.ts', 'every event is described']],
  Upgrades: [
    [
      'refuses it, leaves it as it is, and answers 503',
      'store/redis-records.test.ts',
      'a record of another version, or a damaged one, is refused',
    ],
    [
      'a retry whose answer this version cannot open counts as reuse',
      'oauth/token-refresh.test.ts',
      'a retry whose sealed successor is',
    ],
    ['Records in the store carry their format', 'unit/known-answers.test.ts', 'what was sealed long ago opens'],
  ],
}

const PROTECT_ROUTES: Page = {
  '': 'says what the page is about',
  'Opaque tokens or JWTs': [
    [
      'a revocation counts at once wherever it is checked',
      'oauth/revoke-introspect.test.ts',
      'revoking a refresh token ends its grant',
    ],
    ['which another service can check without asking', 'verify.test.ts', 'a token says the same elsewhere as at home'],
    ['it is still looked up, so that a revocation counts at once', 'oidc/jwt-attacks.test.ts', 'a JWT is revoked here at once'],
    [
      'Both kinds are accepted while you change from one to the other.',
      'oidc/jwt-attacks.test.ts',
      'both formats are accepted while a host changes from one to the other',
    ],
  ],
  Resources: [
    [
      'gets a token for that one alone; without `resource` it is for all',
      'oauth/audience.test.ts',
      'a token is for the resource that was asked for',
    ],
    [
      'A token request may narrow what was authorized and never widens it',
      'oauth/audience.test.ts',
      'a token request asks for as much as was authorized, or less',
    ],
    ['what is not yours is `invalid_target`', 'oauth/authorize.test.ts', 'a resource that is not on this server is refused'],
    [
      'and every 401 of its routes names them',
      'oauth/protected-resource.test.ts',
      'a 401 names the document that says who issues tokens',
    ],
    [
      'Each resource on your own origin has its metadata',
      'oauth/protected-resource.test.ts',
      'each of a host’s resources has its document',
    ],
  ],
  'A stronger or a fresher login': [
    [
      'and the challenge says what to ask for: `acr_values`, `max_age` and the scopes, those of the token among them',
      'oauth/step-up.test.ts',
      'a route says how the user must have signed in, and its challenge says it',
    ],
    [
      'and calls again with the token it gets',
      'clients/step-up.test.ts',
      'openid-client follows a challenge for another way to sign in',
    ],
    [
      'What the host does not say is not met',
      'oauth/step-up.test.ts',
      'where the host does not say how or when its user signed in, neither is met',
    ],
    [
      '`authmount/verify` takes the same',
      'oauth/step-up.test.ts',
      'another service learns how the user signed in, and asks for more',
    ],
  ],
  'Another service': [
    ['It needs nothing of your server but its address.', 'verify.test.ts', 'it guards the routes of another'],
    ['and then remembered until it expires', 'verify.test.ts', 'many who present one token ask once, and it is remembered'],
    [
      'the answer is believed for `cacheSeconds` (1)',
      'verify.test.ts',
      'an opaque token that was revoked is refused within a second',
    ],
    [
      'Every other app may ask about its own tokens only',
      'oauth/audience.test.ts',
      'a resource server asks about access tokens for its own resources',
    ],
    [
      'A server that does not answer is a 503 with `Retry-After`, never a 401',
      'verify.test.ts',
      'a server that does not answer is a 503',
    ],
    ['once a minute for each reason', 'verify-server.test.ts', 'the log repeats a reason after a minute'],
  ],
  'When keys change': [
    [
      'an idle one before it believes the next token',
      'verify-keys.test.ts',
      'keys older than five minutes are read before they are believed',
    ],
    [
      'a busy one at four minutes in the background',
      'verify-keys.test.ts',
      'a busy service never waits for keys that are only old',
    ],
    ['refuses no good token', 'verify-keys.test.ts', 'a service that was idle while a key was rotated accepts the first tokens'],
    [
      'tokens that arrive together share one reading',
      'verify-keys.test.ts',
      'of ten good tokens at once, none is refused after the ring was replaced',
    ],
    [
      'those at hand are good for an hour after the last reading',
      'verify-keys.test.ts',
      'while the keys cannot be read, those at hand are good for an hour',
    ],
    [
      'A token of any other key is a 503 meanwhile',
      'verify-keys.test.ts',
      'a key that is not known is a 503 while the keys cannot be read',
    ],
    [
      'cause ten readings at once at most',
      'verify-keys.test.ts',
      'forged tokens that name unknown keys cause a bounded number of readings',
    ],
    [
      'at most every ten seconds for introspection',
      'verify-server.test.ts',
      'while introspection fails, the metadata are read again every ten seconds',
    ],
    [
      'It follows a change of `mountPath` without a restart',
      'verify-server.test.ts',
      'a server that changes its mountPath is followed',
    ],
    ['0–60, default 5', 'verify.test.ts', 'options and requirements that cannot work are refused'],
  ],
  'Revocations elsewhere': [
    [
      'what they say has been revoked is refused there too',
      'verify.test.ts',
      'an event ends what was ended at home, and nothing else',
    ],
    [
      'for a day, which is the longest that an access token can live',
      'verify-revocations.test.ts',
      'revocations are kept for as long as an access token can live',
    ],
    ['**A restart forgets them.**', 'verify-revocations.test.ts', 'a process that starts again refuses what it refused before'],
    [
      'pushes out its own, and none of another',
      'verify-revocations.test.ts',
      'an app that gives back many tokens of its own evicts no revocation',
    ],
    [
      'single tokens before grants and grants before users',
      'verify-revocations.test.ts',
      'of one app, what ends a grant or a user is kept before what ends a token',
    ],
  ],
}

/** By the file of the page. */
export const PROMISES: Readonly<Record<string, Page>> = {
  'docs/security.md': SECURITY,
  'docs/storage.md': STORAGE,
  'docs/operations.md': OPERATIONS,
  'docs/protect-routes.md': PROTECT_ROUTES,
}
