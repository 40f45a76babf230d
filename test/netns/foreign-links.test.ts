import { strict as assert } from 'node:assert';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { netnsMissing, withNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

describe('what others have configured', () => {
  let host: LinuxHost;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost();
  });
  after(() => host?.[Symbol.dispose]());

  it('has rules with more than a source, which are marked', () => {
    withNetns(1, (ns) => {
      const lines = [
        'rule add from 10.9.0.0/16 table 100 priority 1',
        'rule add from 10.9.0.0/16 fwmark 7 table 101 priority 2',
        'rule add to 10.9.0.0/16 table 102 priority 3',
        'rule add iif lo table 103 priority 4',
        'rule add not from 10.9.0.0/16 table 104 priority 5',
        'rule add table 105 suppress_prefixlength 0 priority 6',
        'rule add from 10.9.0.0/16 tos 0x10 table 106 priority 7',
        'rule add blackhole from 10.10.0.0/16 priority 8',
        '-6 rule add uidrange 1-2 table 107 priority 9',
      ];
      for (const line of lines) ns.ip(...line.split(' '));
      using opened = host.open(ns.path);
      const rules = host.observe(opened, { rules: true }).rules.filter(({ table }) => table < 253);
      assert.deepEqual(
        rules.map(({ table, isSpecial = false }) => [table, isSpecial]),
        [[100, false], ...[101, 102, 103, 104, 105, 106, 107].map((table) => [table, true])],
      );
    });
  });

  it('has devices of /dev/net/tun of both types', () => {
    withNetns(1, (ns) => {
      ns.ip('tuntap', 'add', 'dev', 'tun0', 'mode', 'tun');
      ns.ip('tuntap', 'add', 'dev', 'tap0', 'mode', 'tap', 'user', '1000', 'vnet_hdr');
      using opened = host.open(ns.path);
      const { links } = host.observe(opened, { links: ['tun0', 'tap0'] });
      assert.deepEqual(links.get('tun0')?.tun, { type: 'tun', multiQueue: false, vnetHdr: false });
      assert.deepEqual(links.get('tap0')?.tun, { type: 'tap', owner: 1000, multiQueue: false, vnetHdr: true });
    });
  });
});
