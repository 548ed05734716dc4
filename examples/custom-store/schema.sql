-- A key is the base64url SHA-256 of the ids it stands for: ids may be longer than an index takes, and may hold what text cannot.
-- Only an app's key is its id, 24 hex digits. A record is JSON in a text column: jsonb refuses "\u0000". Instants are
-- milliseconds since 1970, by the clock of the app; expired rows are ignored by every query, and deleted by sweep() in
-- postgres-store.ts. What never expires has the largest expires_at that JavaScript can count to.

CREATE TABLE IF NOT EXISTS oauth_apps (
  key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, record text NOT NULL, expires_at bigint NOT NULL,
  org_key text NOT NULL, creator_key text NOT NULL, status text NOT NULL, origin text NOT NULL, created_at bigint NOT NULL,
  name bytea NOT NULL -- in lower case, for the search; in bytes, because it may hold "\u0000"
);
CREATE INDEX IF NOT EXISTS oauth_apps_of_org ON oauth_apps (org_key, created_at DESC, key DESC) WHERE status <> 'deleted';
CREATE INDEX IF NOT EXISTS oauth_apps_by_status ON oauth_apps (org_key, status, created_at DESC, key DESC);
CREATE INDEX IF NOT EXISTS oauth_apps_expiry ON oauth_apps (expires_at);

CREATE TABLE IF NOT EXISTS oauth_one_time (
  key text COLLATE "C" PRIMARY KEY, expires_at bigint NOT NULL, record text NOT NULL,
  claimed_by text, consumed_by text -- the keys of the attempts
);
CREATE INDEX IF NOT EXISTS oauth_one_time_expiry ON oauth_one_time (expires_at);

CREATE TABLE IF NOT EXISTS oauth_grants (
  key text COLLATE "C" PRIMARY KEY, record text NOT NULL, expires_at bigint NOT NULL, -- when its last token expires
  app_key text NOT NULL, user_key text, org_key text NOT NULL, epoch bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS oauth_grants_of_app ON oauth_grants (app_key, epoch);
CREATE INDEX IF NOT EXISTS oauth_grants_of_user ON oauth_grants (user_key);
CREATE INDEX IF NOT EXISTS oauth_grants_of_org ON oauth_grants (org_key);
CREATE INDEX IF NOT EXISTS oauth_grants_expiry ON oauth_grants (expires_at);

CREATE TABLE IF NOT EXISTS oauth_tokens (
  key text COLLATE "C" PRIMARY KEY, issued_at bigint NOT NULL, expires_at bigint NOT NULL, record text NOT NULL,
  grant_key text COLLATE "C" NOT NULL REFERENCES oauth_grants ON DELETE CASCADE,
  spent text -- JSON: when and for what a refresh token was rotated
);
CREATE INDEX IF NOT EXISTS oauth_tokens_of_grant ON oauth_tokens (grant_key);
CREATE INDEX IF NOT EXISTS oauth_tokens_expiry ON oauth_tokens (expires_at);

CREATE TABLE IF NOT EXISTS oauth_consents (
  key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, record text NOT NULL, expires_at bigint NOT NULL,
  owner_key text NOT NULL, withdrawn boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS oauth_consents_of_owner ON oauth_consents (owner_key, key) WHERE NOT withdrawn;
CREATE INDEX IF NOT EXISTS oauth_consents_expiry ON oauth_consents (expires_at);

CREATE TABLE IF NOT EXISTS oauth_credentials (key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, record text NOT NULL);
CREATE TABLE IF NOT EXISTS oauth_keys (key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, record text NOT NULL);
