/** Writes the OpenAPI document of the example host: `npm run openapi`, or `npm run openapi -- file.json`. */
import { writeFileSync } from 'node:fs'
import { createAuthorization } from './host/authorization.ts'
import { openStore } from './host/store.ts'

const file = process.argv[2] ?? 'openapi.json'
const document = createAuthorization('http://localhost:3000', (await openStore({})).store).openapi()
writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
console.log(`${Object.keys(document.paths as object).length} paths written to ${file}`)
