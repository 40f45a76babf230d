import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { JsonFault, lineOf, placesOf } from '../../src/shared/config/json-places.ts';

/** Line and column of a path, or of the fault. */
function at(text: string, path: string): string {
  const { places } = placesOf(text);
  const place = places.get(path);
  assert.ok(place, [...places.keys()].join(' '));
  const { line, column } = lineOf(text, place.key);
  return `${line}:${column}`;
}

function faultOf(text: string): string {
  try {
    placesOf(text);
  } catch (thrown) {
    if (!(thrown instanceof JsonFault)) throw thrown;
    const { line, column } = lineOf(text, thrown.offset);
    return `${line}:${column} ${thrown.message}`;
  }
  return 'none';
}

describe('places in JSON', () => {
  it('are those of keys, and of values in lists', () => {
    const text = '{\n  "a": [1, {\n    "b c": null, "d": "é\\n" }],\r\n "é": {"f": -1.5e3}\n}';
    assert.equal(at(text, ''), '1:1');
    assert.equal(at(text, '.a'), '2:3');
    assert.equal(at(text, '.a[1]'), '2:12');
    assert.equal(at(text, '.a[1]["b c"]'), '3:5');
    assert.equal(at(text, '.a[1].d'), '3:18');
    assert.equal(at(text, '["é"].f'), '4:8');
  });

  it('tell keys that are there twice', () => {
    assert.deepEqual(placesOf('{"a":1,"b":{"a":2,"a":3},"a":4}').repeated, [
      ['.b.a', 12],
      ['.a', 1],
    ]);
  });

  for (const [text, fault] of [
    ['{"a": 1,}', '1:9 "}" instead of a key in double quotes'],
    ['{"a": 1\n"b": 2}', '2:1 "\\"" instead of "," or "}"'],
    ["{'a': 1}", '1:2 "\'" instead of a key in double quotes'],
    ['{"a" 1}', '1:6 "1" instead of ":" after a key'],
    ['{"a": [1 2]}', '1:10 "2" instead of "," or "]"'],
    ['{"a": True}', '1:7 "T" instead of a value'],
    ['{ // name\n"a": 1}', '1:3 a comment, which JSON does not have, instead of a key in double quotes'],
    ['{"a": "x\ny"}', '1:7 a text that does not end on its line, or has an escape that JSON does not know'],
    ['{"a": 1} x', '1:10 "x" after the end of the object'],
    ['{"a": {', '1:8 the end of the text instead of a key in double quotes'],
    [`${'['.repeat(100_000)}`, '1:202 it is nested more than 200 levels deep'],
  ] as const)
    it(`end where ${JSON.stringify(text.slice(0, 20))} is no JSON`, () => assert.equal(faultOf(text), fault));

  it('exist for exactly the texts that JSON.parse takes', () => {
    const accepted = (text: string): boolean => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"\\u00e9"',
      '"\\x"',
      '1',
      '-0.5',
      '01',
      'true',
      'nul',
      ' ',
      '\n',
    );
    const texts = fc.oneof(
      fc.json(),
      fc.array(pieces, { maxLength: 12 }).map((words) => words.join('')),
      fc.string(),
    );
    fc.assert(fc.property(texts, (text) => assert.equal(faultOf(text) === 'none', accepted(text))));
  });

  it('has every value that JSON.parse returns', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.array(fc.integer())), (value) => {
        const { places } = placesOf(JSON.stringify(value, null, 2));
        const count = 1 + Object.values(value).reduce((sum, list) => sum + 1 + list.length, 0);
        assert.equal(places.size, count);
      }),
    );
  });
});
