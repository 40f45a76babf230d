import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { parseJson } from '../../src/shared/model/json.ts';

describe('parseJson', () => {
  for (const [text, value] of [
    ['"\\ud800"', '\ufffd'],
    ['"\\uDFFFx"', '\ufffdx'],
    ['"\\ud83d\\ude00"', '😀'],
    ['{"a\\ud800":["\\udc00",{"b":null,"c":1}]}', { 'a\ufffd': ['\ufffd', { b: null, c: 1 }] }],
    ['{"__proto__":"\\ud800"}', Object.fromEntries([['__proto__', '\ufffd']])],
  ] as const)
    it(`reads ${text} as Go's encoding/json does`, () => {
      assert.deepEqual(parseJson(text), value);
    });

  it('is JSON.parse for any other value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.deepEqual(parseJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('reads what is nested deeply', () => {
    const depth = 20_000;
    let value = parseJson(`${'{"a":['.repeat(depth)}"\\ud800"${']}'.repeat(depth)}`);
    for (let i = 0; i < depth; i++) value = (value as { readonly a: readonly unknown[] }).a[0];
    assert.equal(value, '\ufffd');
  });

  it('throws SyntaxError for what is not JSON', () => {
    assert.throws(() => parseJson('{"a":"\\ud800"'), SyntaxError);
  });
});
