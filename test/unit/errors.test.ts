import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { asNetError, combineErrors, NetError } from '../../src/shared/errors/net-error.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Codes that SPEC.md §5 (and its reference implementation for 8) defines. */
const WELL_KNOWN = [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51];

describe('error catalog', () => {
  it('uses the codes of the specification, and its own from 100 on', () => {
    for (const [kind, { cni }] of Object.entries(CATALOG)) assert.ok(WELL_KNOWN.includes(cni) || cni >= 100, kind);
  });

  it('has non-zero exit codes, and a one-line description of each', () => {
    for (const [kind, { exit, meaning }] of Object.entries(CATALOG)) {
      assert.ok(exit > 0 && exit < 126, kind);
      assert.match(meaning, /^\S.*\S$/, kind);
    }
  });

  it('does not recommend a retry for errors that the caller has to correct', () => {
    for (const kind of ['incompatible-version', 'bad-environment', 'decode', 'invalid-config'] as const) {
      assert.equal(CATALOG[kind].retry, false);
    }
  });

  it('has no kind that no code throws', () => {
    const sources = globSync('{src,cmd}/**/*.ts', { cwd: ROOT })
      .filter((file) => !file.endsWith('catalog.ts'))
      .map((file) => readFileSync(join(ROOT, file), 'utf8'))
      .join('\n');
    const camel = (kind: string): string => kind.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const isThrown = (kind: string): boolean =>
      sources.includes(`fault.${camel(kind)}(`) || sources.includes(`kind: '${kind}'`);
    const unused = Object.keys(CATALOG).filter((kind) => !isThrown(kind));
    assert.deepEqual(unused, []);
  });
});

describe('NetError', () => {
  it('formats as `<op> <subject>: <what> (<reason>). <hint>`', () => {
    const parts = { kind: 'kernel', op: 'addr.add', subject: 'link eth0', what: 'it was not added' } as const;
    assert.equal(new NetError(parts).message, 'addr.add link eth0: it was not added');
    assert.equal(
      new NetError({ ...parts, reason: 'File exists', hint: 'Take another', errno: 17 }).message,
      'addr.add link eth0: it was not added (File exists). Take another',
    );
  });

  it('is one line for any values', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '\t', 'é') });
    fc.assert(
      fc.property(text, text, text, text, (subject, what, reason, hint) => {
        const { message } = new NetError({ kind: 'io', op: 'ADD', subject, what, reason, hint });
        assert.doesNotMatch(message, /[\r\n]/);
      }),
    );
  });

  it("returns the catalog's code, or a delegate's", () => {
    for (const [kind, { cni }] of Object.entries(CATALOG)) {
      const parts = { kind: kind as keyof typeof CATALOG, op: 'ADD', subject: 's', what: 'w' };
      assert.equal(new NetError(parts).cniCode, cni);
      assert.equal(new NetError({ ...parts, code: 111 }).cniCode, 111);
    }
  });

  it('wraps any thrown value, and keeps a NetError as it is', () => {
    const own = new NetError({ kind: 'busy', op: 'ADD', subject: 's', what: 'w' });
    assert.equal(asNetError(own, 'DEL'), own);
    const bug = new TypeError('x is\nundefined');
    const found = asNetError(bug, 'DEL');
    assert.deepEqual([found.kind, found.cniCode, found.cause], ['internal', 999, bug]);
    assert.equal(found.message, 'DEL isthmus: x is undefined');
    assert.equal(asNetError('text', 'DEL').what, 'text');
  });

  it('combines several errors under the code of the first', () => {
    const [a, b] = (['kernel', 'delegate'] as const).map(
      (kind) => new NetError({ kind, op: 'x', subject: kind, what: 'w' }),
    );
    assert.ok(a !== undefined && b !== undefined);
    assert.equal(combineErrors([], 'DEL'), undefined);
    assert.equal(combineErrors([a], 'DEL'), a);
    const both = combineErrors([a, b], 'DEL');
    assert.equal(both?.kind, 'kernel');
    assert.equal(both?.message, 'DEL 2 failures: x kernel: w; x delegate: w');
  });
});
