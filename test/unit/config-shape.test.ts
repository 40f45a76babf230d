import { strict as assert } from 'node:assert';
import { Ajv } from 'ajv';
import { nearest } from '../../src/shared/config/nearest.ts';
import { assertShape, type Validate } from '../../src/shared/config/shape.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

const ajv = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true });
const validate: Validate = ajv.compile({
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', pattern: '^[a-z]+$', maxLength: 8 },
    driver: { enum: ['bridge', 'host'] },
    mtu: { type: ['integer', 'null'], minimum: 68 },
    list: {
      type: 'array',
      items: { type: 'object', additionalProperties: false, properties: { id: { type: 'number' } } },
    },
    map: { type: 'object', additionalProperties: { type: 'boolean' } },
    choice: { anyOf: [{ type: 'string' }, { type: 'boolean' }] },
  },
});

function text(value: unknown, strict = true, path = ''): string {
  try {
    assertShape(validate, value, path, strict);
    return '';
  } catch (error) {
    assert.ok(error instanceof NetError && error.kind === 'invalid-config', String(error));
    return error.message;
  }
}

describe('config: shape', () => {
  const cases: readonly [value: unknown, expected: string][] = [
    [{ name: 'a', mtu: null }, ''],
    [{}, 'config .name: it is missing. Add it'],
    [3, 'config .=3: it is not an object. Write it so'],
    [{ nmae: 'a' }, 'config .nmae="a": there is no such key. Did you mean name?'],
    [
      { name: 'a', zzz: [1] },
      'config .zzz=[1]: there is no such key. Known keys: name, driver, mtu, list, map, choice',
    ],
    [{ name: 'A' }, 'config .name="A": it is not of the form ^[a-z]+$. Write it so'],
    [{ name: 'abcdefghi' }, 'config .name="abcdefghi": it has more than 8 characters. Write it so'],
    [{ name: 'a', driver: 'vlan' }, 'config .driver="vlan": it is not known here. Choose among "bridge", "host"'],
    [{ name: 'a', mtu: 1 }, 'config .mtu=1: it must be >= 68. Write it so'],
    [{ name: 'a', mtu: 'x' }, 'config .mtu="x": it is not an integer. Write it so'],
    [{ name: 'a', list: [{}, { id: 'x' }] }, 'config .list[1].id="x": it is not a number. Write it so'],
    [{ name: 'a', list: [{ di: 1 }] }, 'config .list[0].di=1: there is no such key. Did you mean id?'],
    [{ name: 'a', map: { 'x.y/z~': 1 } }, 'config .map["x.y/z~"]=1: it is not a boolean. Write it so'],
    [{ name: 'a', choice: 1 }, 'config .choice=1: it is not a string. Write it so'],
  ];
  for (const [value, expected] of cases)
    it(`says of ${JSON.stringify(value)}: ${expected === '' ? 'nothing' : expected}`, () => {
      assert.equal(text(value), expected);
    });

  it('accepts unknown keys at any depth in lenient mode, and nothing else', () => {
    assert.equal(text({ name: 'a', zzz: 1, list: [{ di: 1 }] }, false), '');
    assert.match(text({ nmae: 'a' }, false), /\.name: it is missing/);
  });

  it('starts paths at the checked value and truncates long values', () => {
    const message = text({ name: 'x'.repeat(500) }, true, '.ipam');
    assert.match(message, /^config \.ipam\.name="x{99}…: /);
  });
});

describe('config: nearest', () => {
  const keys = ['bridge', 'isGateway', 'mtu', 'vlan', 'vlanTrunk', 'hairpinMode'];
  const cases: readonly [word: string, expected: string | undefined][] = [
    ['brigde', 'bridge'],
    ['brdge', 'bridge'],
    ['ISGATEWAY', 'isGateway'],
    ['isGatway', 'isGateway'],
    ['mut', 'mtu'],
    ['vlna', 'vlan'],
    ['vlantrunks', 'vlanTrunk'],
    ['hairpin', 'hairpinMode'],
    ['hair', 'hairpinMode'],
    ['ha', undefined],
    ['mac', undefined],
    ['x', undefined],
  ];
  for (const [word, expected] of cases)
    it(`suggests ${expected ?? 'nothing'} for ${word}`, () => {
      assert.equal(nearest(word, keys), expected);
    });
});
