import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportName, generate, OUTPUTS, readSchemas } from '../../build/schemas.ts';
import { makeTempDir } from '../support/temp.ts';

const SAMPLE = {
  name: 'sample',
  schema: {
    type: 'object',
    additionalProperties: false,
    properties: { name: { type: 'string', minLength: 2 }, size: { type: 'integer' } },
  },
};

describe('schemas', () => {
  it('has validators that are up to date (else: npm run schemas)', () => {
    const { js, dts } = generate(readSchemas());
    assert.ok(readFileSync(OUTPUTS.js, 'utf8') === js, 'validators.generated.js is stale: run `npm run schemas`');
    assert.ok(readFileSync(OUTPUTS.dts, 'utf8') === dts, 'validators.generated.d.ts is stale: run `npm run schemas`');
  });

  it('names a validator after its file', () => {
    assert.equal(exportName('ipam-host-local.schema.json'), 'ipamHostLocal');
  });

  it('finds no schemas in a missing directory', () => {
    assert.deepEqual(readSchemas('/nonexistent'), []);
    assert.match(generate([]).js, /export \{\}/);
  });

  it('generates a module that reports every violation with its data', async () => {
    using directory = makeTempDir();
    // Outside the tree, imports of ajv's run-time helpers by name do not resolve.
    const file = join(directory.path, 'sample.generated.mjs');
    writeFileSync(file, generate([SAMPLE]).js.replaceAll("from 'ajv/", `from '${ajvUrl()}/`));
    const { sample } = await import(pathToFileURL(file).href);
    assert.equal(sample({ name: 'ab', size: 1 }), true);
    assert.equal(sample({ name: 'a', size: 'x', sise: 1 }), false);
    const errors: { keyword: string; data: unknown }[] = sample.errors;
    assert.deepEqual(errors.map((error) => error.keyword).sort(), ['additionalProperties', 'minLength', 'type']);
    assert.equal(errors.find((error) => error.keyword === 'minLength')?.data, 'a');
  });

  it('rejects schemas of two dialects', () => {
    const newer = { name: 'newer', schema: { $schema: 'https://json-schema.org/draft/2020-12/schema' } };
    assert.throws(() => generate([SAMPLE, newer]), /newer are draft 2020-12/);
  });

  it('rejects a schema with a misspelt keyword', () => {
    assert.throws(() => generate([{ name: 'bad', schema: { type: 'object', propertys: {} } }]), /propertys/);
  });
});

function ajvUrl(): string {
  const directory = join(import.meta.dirname, '../../node_modules/ajv');
  assert.ok(existsSync(directory));
  return pathToFileURL(directory).href;
}
