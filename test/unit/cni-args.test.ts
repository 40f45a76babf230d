import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { parseCniArgs, withoutArg } from '../../src/shared/config/cni-args.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

function entries(text: string): [string, string][] {
  return [...parseCniArgs(text)];
}

describe('CNI_ARGS', () => {
  it('parses pairs of key and value', () => {
    assert.deepEqual(entries('IP=10.0.0.2,fd00::2;MAC=0a:00:00:00:00:01'), [
      ['IP', '10.0.0.2,fd00::2'],
      ['MAC', '0a:00:00:00:00:01'],
    ]);
  });

  it('accepts an empty text, a trailing semicolon, an empty value and an equals sign in a value', () => {
    assert.deepEqual(entries(''), []);
    assert.deepEqual(entries(';IP=10.0.0.2;;'), [['IP', '10.0.0.2']]);
    assert.deepEqual(entries('IP='), [['IP', '']]);
    assert.deepEqual(entries('IgnoreUnknown=1;LABEL=a=b').at(-1), ['LABEL', 'a=b']);
  });

  for (const flag of ['1', 'true', 'True', 'TRUE']) {
    it(`accepts unknown keys with IgnoreUnknown=${flag}, wherever it stands`, () => {
      assert.equal(parseCniArgs(`K8S_POD_NAME=web;IgnoreUnknown=${flag}`).get('K8S_POD_NAME'), 'web');
    });
  }

  for (const text of ['FOO=bar', 'FOO=bar;IgnoreUnknown=0', 'ip=10.0.0.2', 'FOO=bar;IgnoreUnknown']) {
    it(`rejects ${text} with code 4 and quotes the text`, () => {
      assert.throws(
        () => parseCniArgs(text),
        (error) => error instanceof NetError && error.cniCode === 4 && error.subject === `CNI_ARGS=${text}`,
      );
    });
  }

  it('formats and parses any pairs without loss', () => {
    const word = fc.stringMatching(/^[A-Za-z_0-9.]+$/);
    const value = fc.stringMatching(/^[^;]*$/);
    fc.assert(
      fc.property(fc.dictionary(word, value, { noNullPrototype: true }), (pairs) => {
        const given = { ...pairs, IgnoreUnknown: '1' };
        const text = Object.entries(given).map(([key, of]) => `${key}=${of}`);
        assert.deepEqual(Object.fromEntries(parseCniArgs(text.join(';'))), given);
      }),
    );
  });

  it('keeps the other keys when one is removed', () => {
    assert.equal(withoutArg('IP=10.0.0.2;MAC=0a:00:00:00:00:01;MACX=1', 'MAC'), 'IP=10.0.0.2;MACX=1');
    assert.equal(withoutArg('MAC=0a:00:00:00:00:01', 'MAC'), '');
    assert.equal(withoutArg('', 'MAC'), '');
  });
});
