import { strict as assert } from 'node:assert';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EINVAL, ENODEV } from '../../src/shared/netlink/constants.ts';
import { BRIDGE, failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

const PAIR: Op = {
  ...{ op: 'link.create', ns: 'host', name: 'nic0', mac: '02:00:00:00:00:31', mtu: 1400, alias: 'a NIC', up: true },
  link: { kind: 'veth', peer: { ns: 'host', name: 'lan0' } },
};
const THERE: Op = { op: 'link.move', ns: 'host', name: 'nic0', to: 'sandbox', toName: 'eth0' };
const BACK: Op = { op: 'link.move', ns: 'sandbox', name: 'eth0', to: 'host', toName: 'nic0' };

export function describeMoves(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const names = (ns: 'host' | 'sandbox'): string[] =>
    [...fixture.host.observe(fixture.namespaces[ns], { links: 'all' }).links.keys()].sort();
  const link = (ns: 'host' | 'sandbox', name: string): LinkState =>
    fixture.host.observe(fixture.namespaces[ns], { links: [name] }).links.get(name) ?? assert.fail(`no ${name}`);

  beforeEach(() => {
    fixture = make();
    apply(PAIR, { op: 'addr.add', ns: 'host', dev: 'nic0', address: '10.9.0.7/24' });
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('moves a link under another name, and back', () => {
    const { mac, mtu, alias } = link('host', 'nic0');
    apply(THERE);
    assert.deepEqual(names('host'), ['lan0', 'lo']);
    const inside = link('sandbox', 'eth0');
    assert.deepEqual({ mac: inside.mac, mtu: inside.mtu, alias: inside.alias }, { mac, mtu, alias });
    assert.equal(inside.up, false);
    assert.equal(inside.linkIndex, link('host', 'lan0').index);
    assert.equal(link('host', 'lan0').linkIndex, inside.index);
    apply(BACK);
    assert.deepEqual(names('sandbox'), ['lo']);
    assert.equal(link('host', 'nic0').alias, 'a NIC');
    const { addresses, routes } = fixture.host.observe(fixture.namespaces.host, { addresses: ['nic0'], routes: true });
    assert.deepEqual(
      addresses.filter(({ scope }) => scope !== 'link'),
      [],
    );
    assert.deepEqual(routes, []);
  });

  it('moves it out of its bridge', () => {
    apply(BRIDGE, { op: 'link.set', ns: 'host', name: 'nic0', set: { master: 'br0' } }, THERE);
    assert.equal(link('sandbox', 'eth0').master, undefined);
    assert.equal(link('sandbox', 'eth0').port, undefined);
  });

  it('refuses a name that exists there, and leaves the link as it is', () => {
    apply({ op: 'link.create', ns: 'sandbox', name: 'eth0', link: { kind: 'ifb' } });
    const error = failure(() => apply(THERE), 'exists');
    assert.match(error.message, /^link\.move link nic0: it was not moved to the sandbox as eth0; a link of that name/);
    assert.equal(link('host', 'nic0').up, true);
  });

  it('leaves the link in its namespace where the kernel refuses the new name', () => {
    failure(() => apply({ ...THERE, toName: 'a/b' } as Op), 'kernel', EINVAL);
    assert.deepEqual(names('host'), ['lan0', 'lo', 'nic0']);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('refuses links that belong to their namespace', () => {
    apply(BRIDGE);
    for (const name of ['lo', 'br0']) {
      const error = failure(() => apply({ ...THERE, name } as Op), 'kernel', EINVAL);
      assert.match(error.message, new RegExp(`link\\.move link ${name}: it was not moved`));
    }
  });

  it('fails for a missing link, which a revert accepts', () => {
    failure(() => apply(BACK), 'kernel', ENODEV);
    assert.deepEqual(fixture.host.revert([BACK], fixture.namespaces), []);
  });
}
