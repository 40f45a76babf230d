import { strict as assert } from 'node:assert';
import { opDrift, queryOf, routeDrift } from '../../src/shared/core/diff.ts';
import type { View } from '../../src/shared/host/host.ts';
import type { LinkKind } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { RuleSpec } from '../../src/shared/model/rule.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { failure } from '../netns/host-fixture.ts';

const POD = '/run/netns/pod';

type CreateOp = Extract<Op, { op: 'link.create' }>;

function create(name: string, link: LinkKind, more: Partial<CreateOp> = {}): CreateOp {
  return { op: 'link.create', ns: 'sandbox', name, ...more, link };
}

const UP0 = { dev: 'up0', devNs: 'host' } as const;
const MACVLAN = create('eth0', { kind: 'macvlan', ...UP0, mode: 'bridge', bcQueueLength: 2000 });
const IPVLAN = create('eth0', { kind: 'ipvlan', ...UP0, mode: 'l2', flag: 'bridge' });
const VLAN = create('eth0', { kind: 'vlan', ...UP0, id: 10 });
const VRF = create('eth0', { kind: 'vrf', table: 100 });
const TAP = create('eth0', { kind: 'tap', owner: 1000, group: 1001 });
const MOVE: Op = { op: 'link.move', ns: 'host', name: 'up1', to: 'sandbox', toName: 'eth0' };
const RULE: Extract<Op, { op: 'rule.add' | 'rule.delete' }> = {
  op: 'rule.add',
  ns: 'sandbox',
  rule: { family: 4, from: '10.9.0.2/32', table: 100, priority: 7 },
};
const OTHER: RuleSpec = { family: 4, from: '10.9.0.3/32', table: 100, priority: 7 };

describe('drift of links on parents, and of rules', () => {
  const make = (lacks: readonly LinkKind['kind'][] = []): FakeHost =>
    new FakeHost({ own: { links: [{ name: 'up0' }, { name: 'up1' }] }, namespaces: { [POD]: {} }, lacks });
  const apply = (host: FakeHost, ...ops: readonly Op[]): void =>
    host.apply(ops, { host: host.own, sandbox: host.open(POD) });
  const views = (host: FakeHost, ops: readonly Op[]): readonly [View, View] => [
    host.observe(host.own, queryOf(ops, 'host')),
    host.observe(host.open(POD), queryOf(ops, 'sandbox')),
  ];
  /** What CHECK says of `wanted` where `made` was done. */
  const drift = (wanted: Op, ...made: readonly Op[]): string | undefined => {
    const host = make();
    apply(host, ...made);
    return opDrift(wanted, ...views(host, [wanted]), [])?.message;
  };

  for (const op of [MACVLAN, IPVLAN, VLAN, VRF, TAP, create('eth0', { kind: 'dummy' }), MOVE, RULE])
    it(`${op.op === 'link.create' ? op.link.kind : op.op}: finds none after the op`, () =>
      assert.equal(drift(op, op), undefined));

  const changed = (op: CreateOp, link: object): Op => ({ ...op, link: { ...op.link, ...link } as LinkKind });
  const cases: readonly (readonly [wanted: Op, made: Op, text: string])[] = [
    [MACVLAN, IPVLAN, 'link eth0: is no macvlan'],
    [MACVLAN, changed(MACVLAN, { mode: 'vepa' }), 'link eth0: has mode vepa, expected bridge'],
    [MACVLAN, changed(MACVLAN, { bcQueueLength: 7 }), 'link eth0: has bcqueuelen 7, expected 2000'],
    [MACVLAN, changed(MACVLAN, { dev: 'up1' }), 'link eth0: is not on its parent up0'],
    [IPVLAN, changed(IPVLAN, { mode: 'l3' }), 'link eth0: has mode l3, expected l2'],
    [IPVLAN, changed(IPVLAN, { flag: 'vepa' }), 'link eth0: has flag vepa, expected bridge'],
    [VLAN, changed(VLAN, { id: 11 }), 'link eth0: has VLAN id 11, expected 10'],
    [VLAN, changed(VLAN, { protocol: '802.1ad' }), 'link eth0: has protocol 802.1ad, expected 802.1Q'],
    [VRF, changed(VRF, { table: 101 }), 'link eth0: has table 101, expected 100'],
    [TAP, changed(TAP, { owner: 7 }), 'link eth0: has owner 7, expected 1000'],
    [changed(TAP, { multiQueue: true }), TAP, 'link eth0: has multi_queue false, expected true'],
    [{ ...MACVLAN, up: true }, MACVLAN, 'link eth0: is down'],
    [MOVE, { ...MOVE, toName: 'eth1' } as Op, 'link eth0: is gone'],
    [RULE, { ...RULE, rule: { family: 4, table: 100, priority: 7 } } as Op, 'rule from 10.9.0.2/32 table 100: is gone'],
    [
      { ...RULE, rule: OTHER },
      { ...RULE, rule: { ...OTHER, priority: 8 } },
      'rule from 10.9.0.3/32 table 100: is gone',
    ],
  ];
  for (const [wanted, made, text] of cases)
    it(`says: ${text}`, () => {
      const found = drift(wanted, made) ?? 'no drift';
      assert.ok(found.includes(text), found);
    });

  it('finds none for a macvlan of a macvlan, which is on the parent of both', () => {
    const shared = create('eth1', { kind: 'macvlan', dev: 'eth0', mode: 'bridge' });
    assert.equal(drift(shared, MACVLAN, shared), undefined);
  });

  it('accepts no rule with more selectors', () => {
    const host = make();
    apply(host, RULE);
    const [outside, inside] = views(host, [RULE]);
    const rules = inside.rules.map((rule) => ({ ...rule, isSpecial: true }));
    assert.match(opDrift(RULE, outside, { ...inside, rules }, [])?.message ?? '', /is gone/);
  });

  it('compares source and onlink of a route', () => {
    const host = make();
    const route = { dst: '10.50.0.0/16', gateway: '169.254.1.1', dev: 'up0', source: '10.9.0.2', onlink: true };
    host.apply(
      [
        { op: 'link.set', ns: 'host', name: 'up0', set: { up: true } },
        { op: 'addr.add', ns: 'host', dev: 'up0', address: '10.9.0.2/32' },
        { op: 'route.add', ns: 'host', route },
      ],
      { host: host.own },
    );
    const view = host.observe(host.own, { routes: true });
    assert.equal(routeDrift(route, view), undefined);
    assert.match(routeDrift({ ...route, source: '10.9.0.3' }, view)?.message ?? '', /is gone/);
    const plain = { ...view, routes: view.routes.map(({ onlink, ...rest }) => rest) };
    assert.match(routeDrift(route, plain)?.message ?? '', /is gone/);
  });

  for (const [op, text] of [
    [MACVLAN, 'macvlan (CONFIG_MACVLAN)'],
    [IPVLAN, 'ipvlan (CONFIG_IPVLAN)'],
    [VLAN, 'vlan (CONFIG_VLAN_8021Q)'],
    [VRF, 'vrf (CONFIG_NET_VRF)'],
    [TAP, 'tap (CONFIG_TUN)'],
    [create('eth0', { kind: 'dummy' }), 'dummy (CONFIG_DUMMY)'],
  ] as const)
    it(`says of a kernel: this kernel has no ${text}`, () => {
      const host = make([op.link.kind]);
      const { what, message } = failure(() => apply(host, op), 'unsupported');
      assert.equal(what, `this kernel has no ${text}`);
      assert.match(message, /^link\.create link eth0: .*\. Load its module, or use a kernel that has it$/);
    });
});

describe('hardware in FakeHost', () => {
  it('returns to the host from a namespace that ends, under a name that is free', () => {
    const host = new FakeHost({
      own: { links: [{ name: 'eth0' }, { name: 'nic0', parentDev: '0000:00:03.0', parentBus: 'pci', up: true }] },
      namespaces: { [POD]: {} },
    });
    const namespaces = { host: host.own, sandbox: host.open(POD) };
    host.apply([{ op: 'link.move', ns: 'host', name: 'nic0', to: 'sandbox', toName: 'eth0' }], namespaces);
    host.removeNamespace(POD);
    const { links } = host.observe(host.own, { links: 'all' });
    assert.deepEqual([...links.keys()], ['lo', 'eth0', 'dev0']);
    assert.deepEqual([links.get('dev0')?.parentDev, links.get('dev0')?.up], ['0000:00:03.0', false]);
  });
});
