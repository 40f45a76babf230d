import { strict as assert } from 'node:assert';
import type { HostAccessOptions } from '../../src/shared/config/read-host-access.ts';
import { networkDriverOf } from '../../src/shared/core/networks/record.ts';
import { observeNetwork } from '../../src/shared/core/view.ts';
import { shimName } from '../../src/shared/drivers/lone/shim.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { ownedOf, planDeletion } from '../../src/shared/model/owned.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { assertGolden } from '../support/golden.ts';

const V4 = { addresses: ['10.5.0.127'], routes: ['10.5.0.64/26'] };
const BOTH = { addresses: ['10.5.0.127', 'fd00:5::7f'], routes: ['10.5.0.64/26', 'fd00:5::40/122'] };
const MACVLAN = { driver: 'macvlan', master: 'up0', mode: 'bridge', linkInContainer: false } as const;
const IPVLAN = { driver: 'ipvlan', master: 'up0', mode: 'l2', flag: 'bridge', linkInContainer: false } as const;
/** Docker's networks make their VLAN. */
const OFFERED = { offered: true, master: 'up0.10', made: { kind: 'vlan', dev: 'up0', id: 10 } } as const;
const NIC: FakeSeed = {
  links: [{ name: 'up0', mac: '02:00:00:00:00:31', mtu: 1500, up: true }],
  addresses: [
    { dev: 'up0', address: '10.5.0.9/24' },
    { dev: 'up0', address: 'fd00:5::9/64' },
  ],
};
const SHIM = { name: shimName('lan'), kind: 'macvlan', alias: 'isthmus macvlan net=lan', linkIndex: 2 };

interface Scenario {
  readonly options: HostAccessOptions;
  readonly own?: FakeSeed;
}

/** File → scenarios that must give the same text. */
const PLANS: Readonly<Record<string, readonly Scenario[]>> = {
  'shim-v4': [
    { options: { ...MACVLAN, hostAccess: V4 } },
    {
      options: { driver: 'macvlan', mode: 'bridge', linkInContainer: false, hostAccess: V4 },
      own: { ...NIC, routes: [{ dst: '0.0.0.0/0', gateway: '10.5.0.1', dev: 'up0' }] },
    },
  ],
  'shim-dual-stack': [{ options: { ...MACVLAN, hostAccess: BOTH } }],
  'shim-mtu': [{ options: { ...MACVLAN, mtu: 1400, hostAccess: V4 } }],
  'shim-vlan': [{ options: { ...MACVLAN, ...OFFERED, hostAccess: BOTH } }],
  'shim-vlan-ipvlan': [{ options: { ...IPVLAN, ...OFFERED, mtu: 1400, hostAccess: V4 } }],
  'shim-ipvlan': [{ options: { ...IPVLAN, hostAccess: BOTH } }],
};

describe('host access plans', () => {
  for (const [name, scenarios] of Object.entries(PLANS))
    for (const { options, own = NIC } of scenarios)
      it(`${name}: ${JSON.stringify(options)}`, () => assertGolden(name, planText(options, own)));

  it('are nothing without host access', () => assert.equal(networkDriverOf(MACVLAN, 'lan'), undefined));

  it('put back what is missing, and only that', () => {
    const { host, plan } = labOf({ ...MACVLAN, hostAccess: BOTH }, NIC);
    const namespaces = { host: host.own };
    host.apply(plan().ops, namespaces);
    assert.deepEqual(plan().ops, []);
    const name = shimName('lan');
    const missing: readonly (readonly [Op, readonly string[]])[] = [
      [
        { op: 'addr.delete', ns: 'host', dev: name, address: '10.5.0.127/32' },
        [`ip addr add 10.5.0.127/32 dev ${name}`],
      ],
      [
        { op: 'route.delete', ns: 'host', route: { dst: 'fd00:5::40/122', dev: name } },
        [`ip -6 route add fd00:5::40/122 dev ${name}`],
      ],
      [
        { op: 'sysctl.set', ns: 'host', key: `net/ipv4/conf/${name}/arp_filter`, value: '0' },
        [`sysctl -e -w net/ipv4/conf/${name}/arp_filter=1`],
      ],
    ];
    for (const [damage, repair] of missing) {
      host.apply([damage], namespaces);
      assert.deepEqual(
        plan().ops.map((op) => renderOp(op, { sandbox: '' })),
        repair,
      );
      host.apply(plan().ops, namespaces);
    }
  });

  it('remove an address and a route of an earlier configuration', () => {
    const { host, plan } = labOf({ ...MACVLAN, hostAccess: BOTH }, NIC);
    host.apply(plan().ops, { host: host.own });
    const next = networkDriverOf({ ...MACVLAN, hostAccess: V4 }, 'lan') ?? assert.fail();
    const view = observeNetwork(host, host.own, next, { addresses: [], routes: [] });
    const texts = next.planNetwork(view, { addresses: [], routes: [] }).ops.map((op) => renderOp(op, { sandbox: '' }));
    const name = shimName('lan');
    assert.deepEqual(texts, [
      `sysctl -e -w net/ipv6/conf/${name}/disable_ipv6=1`,
      `ip addr del fd00:5::7f/128 dev ${name}`,
      `ip -6 route delete fd00:5::40/122 dev ${name}`,
    ]);
  });

  for (const [title, own, options, message] of [
    ['a parent that is missing', {}, MACVLAN, /\.master="up0"/],
    ['a VLAN of a parent that is missing', {}, { ...MACVLAN, ...OFFERED }, /parent=up0\.10: there is neither/],
    ['an MTU over that of the VLAN to make', NIC, { ...MACVLAN, ...OFFERED, mtu: 9000 }, /mtu=9000/],
    [
      'another link of the shim’s name beside a VLAN to make',
      { ...NIC, links: [...(NIC.links ?? []), { ...SHIM, linkIndex: 7 }] },
      { ...MACVLAN, ...OFFERED },
      /is not on up0\.10, as this call demands/,
    ],
    ['an MTU over the parent’s', NIC, { ...MACVLAN, mtu: 9000 }, /\.mtu=9000/],
    [
      'another link of its name',
      { ...NIC, links: [...(NIC.links ?? []), { ...SHIM, alias: 'mine' }] },
      MACVLAN,
      /exists and is not the shim/,
    ],
    [
      'another parent than before',
      { ...NIC, links: [...(NIC.links ?? []), { ...SHIM, linkIndex: 7 }] },
      MACVLAN,
      /is not on up0, as this call demands/,
    ],
    [
      'an address of the parent in the range',
      { ...NIC, addresses: [{ dev: 'up0', address: '10.5.0.70/24' }] },
      MACVLAN,
      /link up0: has 10\.5\.0\.70\/24, which is inside 10\.5\.0\.64\/26/,
    ],
    [
      'a route that is there',
      { ...NIC, routes: [{ dst: '10.5.0.64/26', dev: 'up0' }] },
      MACVLAN,
      /link up0: has a route to 10\.5\.0\.64\/26/,
    ],
  ] as const)
    it(`refuse ${title}`, () => {
      const { plan } = labOf({ ...options, hostAccess: V4 }, own);
      assert.throws(plan, (error) => error instanceof NetError && message.test(error.message));
    });
});

function labOf(options: HostAccessOptions, own: FakeSeed) {
  const host = new FakeHost({ own, namespaces: {} });
  const driver = networkDriverOf(options, 'lan') ?? assert.fail('no host access');
  const nothing = { addresses: [], routes: [] };
  return { host, plan: () => driver.planNetwork(observeNetwork(host, host.own, driver, nothing), nothing) };
}

/** The commands that make it, and those that take it away again, which leaves nothing. */
function planText(options: HostAccessOptions, own: FakeSeed): string {
  const { host, plan } = labOf(options, own);
  const before = host.toString();
  const { ops, undo } = plan();
  host.apply(ops, { host: host.own });
  assert.deepEqual(plan().ops, [], 'nothing lacks');
  assert.deepEqual(planDeletion(ownedOf(undo)), undo, 'what is on record deletes it');
  assert.deepEqual(host.revert(undo, { host: host.own }), []);
  assert.equal(host.toString(), before);
  const section = (title: string, steps: readonly Op[]): string =>
    [`# ${title}`, ...steps.map((op) => renderOp(op, { sandbox: '' })), ''].join('\n');
  return section('network', ops) + section('network, taken back', undo);
}
