import { strict as assert } from 'node:assert';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { MacvlanLink, MacvlanMode } from '../../src/shared/model/link-data.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EADDRINUSE, EBUSY, EINVAL, ENODEV } from '../../src/shared/netlink/constants.ts';
import { BRIDGE, failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

const MODES: readonly MacvlanMode[] = ['private', 'vepa', 'bridge', 'passthru', 'source'];
const UP0_MAC = '02:00:00:00:00:10';

/** A veth pair in the host's namespace, both ends up: `up0` is the parent. */
const PARENT: readonly Op[] = [
  {
    ...{ op: 'link.create', ns: 'host', name: 'up0', mac: UP0_MAC, mtu: 1400, up: true },
    link: { kind: 'veth', peer: { ns: 'host', name: 'lan0' } },
  },
  { op: 'link.set', ns: 'host', name: 'lan0', set: { up: true } },
];

type CreateOp = Extract<Op, { op: 'link.create' }>;

/** A macvlan in the sandbox on a parent of the host. */
function macvlan(name: string, link: Partial<MacvlanLink> = {}, more: Partial<CreateOp> = {}): Op {
  const kind = { kind: 'macvlan', dev: 'up0', devNs: 'host', mode: 'bridge' } as const;
  return { op: 'link.create', ns: 'sandbox', name, ...more, link: { ...kind, ...link } };
}

export function describeParents(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const names = (ns: 'host' | 'sandbox'): string[] =>
    [...fixture.host.observe(fixture.namespaces[ns], { links: 'all' }).links.keys()].sort();
  const link = (ns: 'host' | 'sandbox', name: string): LinkState => {
    const { links } = fixture.host.observe(fixture.namespaces[ns], { links: [name] });
    return links.get(name) ?? assert.fail(`there is no ${name}`);
  };

  beforeEach(() => {
    fixture = make();
    apply(...PARENT);
  });
  afterEach(() => fixture[Symbol.dispose]());

  for (const mode of MODES)
    it(`creates a macvlan in mode ${mode} inside the sandbox, complete and up`, () => {
      const mac = '02:00:00:00:00:77';
      apply(macvlan('eth0', { mode, bcQueueLength: 2000 }, { mac, mtu: 1300, alias: 'a pod', group: 7, up: true }));
      const made = link('sandbox', 'eth0');
      assert.deepEqual(names('host'), ['lan0', 'lo', 'up0']);
      assert.deepEqual(made.macvlan, { mode, bcQueueLength: 2000 });
      // A passthru takes the MAC of its parent.
      assert.equal(made.mac, mode === 'passthru' ? UP0_MAC : mac);
      const { kind, mtu, alias, group, up, lowerUp } = made;
      assert.deepEqual(
        { kind, mtu, alias, group, up, lowerUp },
        { kind: 'macvlan', mtu: 1300, alias: 'a pod', group: 7, up: true, lowerUp: true },
      );
      assert.equal(made.linkIndex, link('host', 'up0').index);
      assert.equal(made.linkNetnsId, 0);
    });

  it('gives a macvlan the MTU of its parent', () => {
    apply(macvlan('eth0'));
    assert.equal(link('sandbox', 'eth0').mtu, 1400);
    assert.equal(link('sandbox', 'eth0').macvlan?.bcQueueLength, 1000);
  });

  it('creates a macvlan whose name a link of the parent’s namespace has', () => {
    apply(macvlan('up0', {}, { up: true }));
    assert.equal(link('sandbox', 'up0').kind, 'macvlan');
    assert.equal(link('host', 'up0').kind, 'veth');
  });

  it('creates a macvlan on a parent in the sandbox, for the host', () => {
    apply({ op: 'link.move', ns: 'host', name: 'lan0', to: 'sandbox', toName: 'lan0' });
    apply({ ...macvlan('shim', { dev: 'lan0', devNs: 'sandbox' }), ns: 'host' } as Op);
    assert.equal(link('host', 'shim').linkIndex, link('sandbox', 'lan0').index);
  });

  it('refuses a name that exists in the sandbox, and leaves nothing', () => {
    apply(macvlan('eth0', {}, { alias: 'first' }));
    const error = failure(() => apply(macvlan('eth0', {}, { alias: 'second' })), 'exists');
    assert.match(error.message, /^link\.create link eth0: macvlan eth0 on up0 was not created; it exists already/);
    assert.equal(link('sandbox', 'eth0').alias, 'first');
    assert.deepEqual(names('sandbox'), ['eth0', 'lo']);
  });

  it('names the missing parent', () => {
    const error = failure(() => apply(macvlan('eth0', { dev: 'up9' })), 'kernel', ENODEV);
    assert.match(error.message, /^link\.create link eth0: its parent up9 does not exist/);
  });

  it('refuses a loopback parent', () => {
    const error = failure(() => apply(macvlan('eth0', { dev: 'lo' })), 'kernel', EINVAL);
    assert.match(
      error.message,
      /macvlan eth0 on lo was not created; lo is a loopback device, which cannot be a parent/,
    );
  });

  it('names both MTUs where the parent has the smaller one', () => {
    const error = failure(() => apply(macvlan('eth0', {}, { mtu: 9000 })), 'kernel', EINVAL);
    assert.match(error.message, /the MTU 9000 is above 1400, that of up0/);
    apply(macvlan('eth0'));
    const higher: Op = { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { mtu: 1401 } };
    assert.match(failure(() => apply(higher), 'kernel', EINVAL).message, /up to that of its parent/);
  });

  it('refuses a parent that is a port, and names its bridge', () => {
    apply(BRIDGE, { op: 'link.set', ns: 'host', name: 'up0', set: { master: 'br0' } });
    const error = failure(() => apply(macvlan('eth0')), 'kernel', EBUSY);
    assert.match(error.message, /up0 is a port of br0, and a port cannot be a parent/);
    apply(macvlan('eth0', { dev: 'br0' }));
    assert.equal(link('sandbox', 'eth0').linkIndex, link('host', 'br0').index);
  });

  it('refuses to make a parent a port', () => {
    apply(BRIDGE, macvlan('eth0'));
    const enslave: Op = { op: 'link.set', ns: 'host', name: 'up0', set: { master: 'br0' } };
    const error = failure(() => apply(enslave), 'kernel', EBUSY);
    assert.match(error.message, /may be the parent of macvlan or ipvlan links/);
  });

  it('refuses passthru beside others, and others beside passthru', () => {
    apply(macvlan('eth0'));
    const first = failure(() => apply(macvlan('eth1', { mode: 'passthru' })), 'kernel', EINVAL);
    assert.match(first.message, /mode passthru needs up0 for itself, and another macvlan is on it/);
    apply({ op: 'link.delete', ns: 'sandbox', name: 'eth0', kind: 'macvlan' }, macvlan('eth1', { mode: 'passthru' }));
    for (const mode of ['bridge', 'passthru'] as const)
      failure(() => apply(macvlan('eth0', { mode })), 'kernel', EINVAL);
    assert.deepEqual(names('sandbox'), ['eth1', 'lo']);
  });

  it('changes the MAC of the parent with that of a passthru', () => {
    const mac = '02:00:00:00:00:78';
    apply(macvlan('eth0', { mode: 'passthru' }), { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { mac } });
    assert.equal(link('host', 'up0').mac, mac);
  });

  it('refuses a MAC that is in use on the parent as soon as the link goes up', () => {
    const mac = '02:00:00:00:00:11';
    apply(macvlan('eth0', {}, { mac, up: true }));
    const error = failure(() => apply(macvlan('eth1', {}, { mac, up: true })), 'kernel', EADDRINUSE);
    assert.match(error.message, /up0 or another macvlan on it has the MAC 02:00:00:00:00:11/);
    assert.deepEqual(names('sandbox'), ['eth0', 'lo']);
    failure(() => apply(macvlan('eth1', {}, { mac: UP0_MAC, up: true })), 'kernel', EADDRINUSE);
    apply(macvlan('eth1', {}, { mac }));
    const up: Op = { op: 'link.set', ns: 'sandbox', name: 'eth1', set: { up: true } };
    assert.match(failure(() => apply(up), 'kernel', EADDRINUSE).message, /has this MAC: choose another/);
    apply({ op: 'link.set', ns: 'sandbox', name: 'eth1', set: { mac: '02:00:00:00:00:12', up: true } });
    const taken: Op = { op: 'link.set', ns: 'sandbox', name: 'eth1', set: { mac } };
    failure(() => apply(taken), 'kernel', EADDRINUSE);
  });

  it('puts a macvlan of a macvlan on the parent of both', () => {
    apply(macvlan('eth0'), macvlan('eth1', { dev: 'eth0', devNs: 'sandbox' }));
    assert.equal(link('sandbox', 'eth1').linkIndex, link('host', 'up0').index);
  });

  it('follows the carrier and a smaller MTU of its parent', () => {
    apply(macvlan('eth0', {}, { up: true }), {
      op: 'link.set',
      ns: 'host',
      name: 'up0',
      set: { up: false, mtu: 1280 },
    });
    assert.equal(link('sandbox', 'eth0').lowerUp, false);
    assert.equal(link('sandbox', 'eth0').mtu, 1280);
    apply({ op: 'link.set', ns: 'host', name: 'up0', set: { up: true } });
    assert.equal(link('sandbox', 'eth0').lowerUp, true);
  });

  it('vanishes with its parent, in every namespace', () => {
    apply(macvlan('eth0'), { ...macvlan('shim'), ns: 'host' } as Op);
    apply({ op: 'link.delete', ns: 'host', name: 'lan0' });
    assert.deepEqual(names('host'), ['lo']);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('stays with a parent that moves to another namespace', () => {
    apply(macvlan('eth0', {}, { up: true }));
    apply({ op: 'link.move', ns: 'host', name: 'up0', to: 'sandbox', toName: 'up7' });
    assert.equal(link('sandbox', 'eth0').linkIndex, link('sandbox', 'up7').index);
    assert.equal(link('sandbox', 'eth0').linkNetnsId, undefined);
    assert.equal(link('sandbox', 'up7').up, false);
    apply({ op: 'link.delete', ns: 'sandbox', name: 'up7' });
    assert.deepEqual(names('sandbox'), ['lo']);
  });
}
