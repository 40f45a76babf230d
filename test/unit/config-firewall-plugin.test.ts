import { strict as assert } from 'node:assert';
import { parseFirewallPlugin } from '../../src/shared/config/firewall-plugin.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

describe('config: the plugin firewall', () => {
  for (const [title, config, adminChain, zone] of [
    ["the reference's defaults", {}, 'CNI-ADMIN', 'trusted'],
    ['missing keys', { backend: null, iptablesAdminChainName: '', firewalldZone: null }, 'CNI-ADMIN', 'trusted'],
    ['backend firewalld', { backend: 'firewalld', firewalldZone: 'public' }, 'CNI-ADMIN', 'public'],
    ['backend iptables', { backend: 'iptables', iptablesAdminChainName: 'MINE' }, 'MINE', undefined],
    [
      'the longest names',
      { iptablesAdminChainName: 'A'.repeat(28), firewalldZone: 'z'.repeat(17) },
      'A'.repeat(28),
      'z'.repeat(17),
    ],
  ] as const)
    it(title, () => {
      const parsed = parseFirewallPlugin(config);
      assert.deepEqual([parsed.adminChain, parsed.zone], [adminChain, zone]);
    });

  for (const [config, message] of [
    [{ iptablesAdminChainName: 'A'.repeat(29) }, /\.iptablesAdminChainName="A+": it is not the name of a chain/],
    [{ iptablesAdminChainName: 'a b' }, /\.iptablesAdminChainName="a b": /],
    [{ iptablesAdminChainName: '-j' }, /\.iptablesAdminChainName="-j": /],
    [{ iptablesAdminChainName: 'FORWARD' }, /\.iptablesAdminChainName="FORWARD": .*of your own/],
    [{ iptablesAdminChainName: 7 }, /\.iptablesAdminChainName=7: it is not a text/],
    [{ firewalldZone: 'z'.repeat(18) }, /\.firewalldZone="z+": it is not the name of a zone/],
    [{ firewalldZone: 'a zone' }, /\.firewalldZone="a zone": /],
    [{ firewalldZone: ['trusted'] }, /\.firewalldZone=\["trusted"\]: it is not a text/],
    [{ backend: 'pf' }, /\.backend="pf": it is not a backend here/],
  ] as const)
    it(`refuses ${JSON.stringify(config).slice(0, 60)}`, () => {
      assert.throws(
        () => parseFirewallPlugin(config),
        (error) =>
          error instanceof NetError &&
          error.kind === 'invalid-config' &&
          message.test(error.message) &&
          error.hint !== '',
      );
    });
});
