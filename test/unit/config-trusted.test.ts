import { strict as assert } from 'node:assert';
import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { parseNetconf } from '../../src/shared/config/netconf.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Json } from '../../src/shared/model/json.ts';

describe('trustedHostInterfaces', () => {
  const trusted = (more: Json): unknown => parseFirewall(more).trusted;

  it('is a list of interface names, each once', () => {
    assert.deepEqual(trusted({ trustedHostInterfaces: ['eth0', 'vxlan.1', 'eth0'] }), ['eth0', 'vxlan.1']);
    for (const none of [[], null, undefined]) assert.equal(trusted({ trustedHostInterfaces: none }), undefined);
  });

  const wrong: readonly (readonly [Json, RegExp])[] = [
    [{ trustedHostInterfaces: 'eth0' }, /trustedHostInterfaces.*list/],
    [{ trustedHostInterfaces: ['eth0', 'eth+'] }, /\.trustedHostInterfaces\[1\]=.*eth\+.* has \+ where/],
    [{ trustedHostInterfaces: ['an-interface-too-long'] }, /longer than 15 bytes/],
    [{ trustedHostInterfaces: ['eth0'], internal: true }, /nothing enters an internal network/],
  ];
  for (const [more, words] of wrong) {
    it(`refuses ${JSON.stringify(more)}`, () => {
      assert.throws(
        () => trusted(more),
        (error) => error instanceof NetError && error.kind === 'invalid-config' && words.test(error.message),
      );
    });
  }

  it('belongs to the driver bridge', () => {
    const config = { name: 'web', driver: 'host', trustedHostInterfaces: ['eth0'] };
    assert.throws(() => parseNetconf({ config, strict: true, driver: 'host' }), /trustedHostInterfaces/);
  });
});
