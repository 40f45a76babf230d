import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';

const CONFIG = join(import.meta.dirname, '../src/shared/config');
const SUFFIX = '.schema.json';
const HEADER = '// Generated from schemas/*.schema.json by `npm run schemas`.\n';

/** One JSON Schema and the name under which its validator is exported. */
export interface NamedSchema {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** The two generated files, as text. */
export interface Generated {
  readonly js: string;
  readonly dts: string;
}

/** `ipam-host-local.schema.json` → `ipamHostLocal`. */
export function exportName(file: string): string {
  return file.slice(0, -SUFFIX.length).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The schemas in a directory, by file name; none if the directory does not exist. */
export function readSchemas(directory: string = join(CONFIG, 'schemas')): NamedSchema[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith(SUFFIX))
    .sort()
    .map((file) => ({ name: exportName(file), schema: JSON.parse(readFileSync(join(directory, file), 'utf8')) }));
}

/**
 * Generates an ES module with one stand-alone ajv validator for each schema, and its types. Validators report every
 * violation, with the offending data. Schemas may refer to each other by `$id`. The dialect of all schemas is JSON
 * Schema draft 2020-12 if they declare it, else draft-07.
 * Throws if a schema is invalid in ajv's strict mode.
 */
export function generate(schemas: readonly NamedSchema[]): Generated {
  if (schemas.length === 0) return { js: `${HEADER}export {};\n`, dts: `${HEADER}export {};\n` };
  const ajv = makeAjv(schemas);
  const ids: Record<string, string> = {};
  for (const { name, schema } of schemas) {
    ids[name] = typeof schema.$id === 'string' ? schema.$id : name;
    ajv.addSchema(schema, ids[name]);
  }
  const code = standalone.default(ajv, ids);
  const signatures = schemas.map(({ name }) => `export declare const ${name}: Validator;`);
  return {
    js: `${HEADER}${importRuntime(code)}\n`,
    dts: `${HEADER}import type { ErrorObject } from 'ajv';

/** True where \`data\` follows the schema; else \`errors\` holds every violation until the next call. */
export interface Validator {
  (data: unknown): boolean;
  errors?: ErrorObject[] | null;
}

${signatures.join('\n')}
`,
  };
}

/** The paths of the generated files. */
export const OUTPUTS = {
  js: join(CONFIG, 'validators.generated.js'),
  dts: join(CONFIG, 'validators.generated.d.ts'),
} as const;

function makeAjv(schemas: readonly NamedSchema[]): Ajv {
  const newer = schemas.filter(({ schema }) => String(schema.$schema).includes('2020-12'));
  if (newer.length > 0 && newer.length < schemas.length)
    throw new Error(`schemas ${newer.map((s) => s.name).join(', ')} are draft 2020-12, the others are not: use one`);
  const Dialect = newer.length > 0 ? Ajv2020 : Ajv;
  return new Dialect({
    allErrors: true,
    verbose: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    code: { source: true, esm: true, lines: true },
  });
}

/** ajv writes `require` for its run-time helpers even into ES modules, which lack it. */
function importRuntime(code: string): string {
  const imports: string[] = [];
  const body = code.replace(/const (\w+) = require\("([^"]+)"\)(\.default)?;/g, (_, name, path, dotDefault) => {
    const file = path.startsWith('ajv/') && !path.endsWith('.js') ? `${path}.js` : path;
    imports.push(`import ${name}Module from '${file}';`);
    return `const ${name} = ${name}Module${dotDefault ?? ''};`;
  });
  return [...imports, body].join('\n');
}

/** Updates the generated files; does not touch them if they are up to date (builds compare modification times). */
export function writeValidators(): void {
  const schemas = readSchemas();
  const { js, dts } = generate(schemas);
  writeChanged(OUTPUTS.js, js);
  writeChanged(OUTPUTS.dts, dts);
  console.log(`schemas: ${schemas.length} validators`);
}

function writeChanged(file: string, text: string): void {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

if (import.meta.main) {
  writeValidators();
  const { writeTables } = await import('./config-tables.ts');
  writeTables();
}
