import { z } from 'zod'

/** A JWK (RFC 7517 §4). What may be in a public one is checked apart. */
export const jwkSchema = z
  .object({ kty: z.string() })
  .catchall(z.union([z.string(), z.boolean(), z.array(z.string())], 'must be a text, a boolean or a list of texts'))
