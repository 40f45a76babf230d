import { strict as assert } from 'node:assert';
import { addressingOf, describePlugged, planMac } from '../../src/shared/drivers/lone/remote.ts';
import { formatMovedAlias } from '../../src/shared/model/alias.ts';
import { formatRoute } from '../../src/shared/model/route.ts';
import type { Joined } from '../../src/shared/remote/network-driver.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { addrOf as addr, prefixOf as prefix } from '../support/addresses.ts';
import { attachmentOf } from '../support/core.ts';

const JOINED: Joined = { srcName: 'gi0', staticRoutes: [], disableGatewayService: false };

function routes(joined: Partial<Joined>, addresses: readonly string[], own: readonly string[] = []): string[] {
  const configured = own.map((dst) => ({ dst: prefix(dst) }));
  return addressingOf({ ...JOINED, ...joined }, addresses.map(prefix), configured)
    .routes.map(formatRoute)
    .map(({ dst, gateway, scope }) => `${dst}${gateway ? ` via ${gateway}` : ''}${scope === undefined ? '' : ' link'}`);
}

describe('the routes of an interface that a Docker plugin made', () => {
  it('are none without a gateway: nothing makes up for docker_gwbridge', () => {
    assert.deepEqual(routes({}, ['10.7.0.2/24']), []);
  });

  it('are a default route of each family', () => {
    const joined = { gateway: addr('10.7.0.1'), gateway6: addr('fd00:7::1') };
    assert.deepEqual(routes(joined, ['10.7.0.2/24', 'fd00:7::2/64']), ['0.0.0.0/0 via 10.7.0.1', '::/0 via fd00:7::1']);
  });

  it('lead to a gateway outside the subnet on the link, as Calico has it', () => {
    assert.deepEqual(routes({ gateway: addr('169.254.1.1') }, ['10.7.0.2/32']), [
      '169.254.1.1/32 link',
      '0.0.0.0/0 via 169.254.1.1',
    ]);
  });

  it('have those on the link before those by a next hop, and none twice', () => {
    const staticRoutes = [
      { dst: prefix('10.9.0.0/16'), nextHop: addr('10.8.0.1') },
      { dst: prefix('10.8.0.0/24') },
      { dst: prefix('0.0.0.0/0'), nextHop: addr('10.8.0.1') },
    ];
    assert.deepEqual(routes({ staticRoutes, gateway: addr('10.8.0.1') }, ['10.7.0.2/32']), [
      '10.8.0.0/24 link',
      '10.9.0.0/16 via 10.8.0.1',
      '0.0.0.0/0 via 10.8.0.1',
    ]);
  });

  it('give way to those of the configuration', () => {
    assert.deepEqual(routes({ gateway: addr('10.7.0.1') }, ['10.7.0.2/24'], ['0.0.0.0/0']), ['0.0.0.0/0']);
  });
});

describe('the interface that a Docker plugin made', () => {
  const seen = (links: NonNullable<FakeSeed['links']>, srcName = 'gi0', mac?: string) => {
    const host = new FakeHost({ own: { links } });
    const view = host.observe(host.own, { links: [srcName], addresses: [srcName], routes: true });
    const plugged = { plugin: 'gp', attachment: attachmentOf(), srcName, ...(mac === undefined ? {} : { mac }) };
    return describePlugged(view, plugged);
  };

  it('has the MAC that the plugin chose', () => {
    const facts = seen([{ name: 'gi0', kind: 'veth', mac: '02:00:00:00:00:01' }], 'gi0', '02:00:00:00:00:09');
    assert.deepEqual(planMac(facts), [
      { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { mac: '02:00:00:00:00:09' } },
    ]);
    assert.equal(facts.alias, formatMovedAlias('gi0', attachmentOf()));
  });

  it('of kind ipvlan keeps the MAC of its parent', () => {
    const facts = seen([{ name: 'gi0', kind: 'ipvlan', mac: '02:00:00:00:00:01' }], 'gi0', '02:00:00:00:00:09');
    assert.deepEqual(planMac(facts), []);
  });

  it('has to be in this namespace, and not ours', () => {
    assert.throws(() => seen([]), /plugin gp: its interface gi0 is not in this network namespace/);
    const ours = { name: 'gi0', kind: 'bridge', alias: 'isthmus bridge net=web' };
    assert.throws(() => seen([ours]), /gives the interface gi0, which belongs to Isthmus itself/);
  });

  it('does not carry on a mark that another attachment left', () => {
    const alias = formatMovedAlias('gi0', attachmentOf({ id: 'b' }));
    const { link } = seen([{ name: 'gi0', kind: 'veth', mac: '02:00:00:00:00:01', alias }]);
    assert.ok(link.kind === 'moved' && link.before.alias === undefined);
  });
});
