import { strict as assert } from 'node:assert';
import { atLeast, parseVersion, SUPPORTED } from '../../src/shared/config/versions.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';

describe('pluginName', () => {
  const interfaces = ['macvlan', 'ipvlan', 'vlan', 'ptp', 'dummy', 'tap', 'host-device'] as const;
  for (const name of ['bridge', 'host-local', 'loopback', 'static', ...interfaces] as const) {
    it(`${name} selects that drop-in, in any directory`, () => {
      assert.equal(pluginName(name), name);
      assert.equal(pluginName(`/opt/cni/bin/${name}`), name);
    });
  }

  for (const path of [
    'isthmus',
    '/opt/cni/bin/isthmus',
    '/srv/dist/cni-plugin',
    'bridge2',
    'Bridge',
    '/bridge/x',
    '',
  ]) {
    it(`${JSON.stringify(path)} selects Isthmus itself`, () => assert.equal(pluginName(path), 'isthmus'));
  }
});

describe('versions of the specification', () => {
  it('are in release order', () => {
    for (const [i, version] of SUPPORTED.entries()) {
      for (const [j, least] of SUPPORTED.entries()) assert.equal(atLeast(version, least), i >= j);
    }
  });

  for (const unsaid of [undefined, null, '']) {
    it(`${JSON.stringify(unsaid)} means 0.1.0`, () => assert.equal(parseVersion(unsaid), '0.1.0'));
  }

  for (const wrong of ['1.2.0', '0.3', 'v1.0.0', ' 1.0.0', 1, true, {}]) {
    it(`${JSON.stringify(wrong)} is rejected with code 1`, () => {
      assert.throws(
        () => parseVersion(wrong),
        (error) => error instanceof NetError && error.cniCode === 1 && error.message.includes(JSON.stringify(wrong)),
      );
    });
  }
});
