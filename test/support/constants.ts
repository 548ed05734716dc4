import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const SOURCE = join(import.meta.dirname, '../../src')

/** The constants of the code whose names fit, as `file NAME`, with their values; a value that is no plain number is `NaN`. */
export async function constantsNamed(name: RegExp): Promise<ReadonlyMap<string, number>> {
  const files = (await readdir(SOURCE, { recursive: true })).filter(file => file.endsWith('.ts'))
  const found = await Promise.all(
    files.map(async file => {
      const lines = (await readFile(join(SOURCE, file), 'utf8')).matchAll(
        /^(?:export )?const ([A-Z][A-Z_]+)(?:: [^=]*)? = (.*)$/gm,
      )
      return [...lines].map(([, constant = '', value = '']) => [file, constant, Number(value.replaceAll('_', ''))] as const)
    }),
  )
  return new Map(
    found
      .flat()
      .filter(([, constant]) => name.test(constant))
      .map(([file, constant, value]) => [`${file.replaceAll('\\', '/')} ${constant}`, value]),
  )
}
