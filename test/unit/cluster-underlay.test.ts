import { strict as assert } from 'node:assert';
import { PeerGuard } from '../../cmd/cnm-shim/cluster-peers.ts';
import { FollowedSelf } from '../../cmd/cnm-shim/cluster-self.ts';
import type { Self } from '../../src/shared/cluster/site.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeCore } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';

describe('cluster: the list of peers in the packet filter', () => {
  let filter: FakeFirewaller;
  let core: CallCore;
  let guard: PeerGuard;
  const put = (changes: Partial<NetworkRow>): void => {
    const options = { driver: 'overlay', network: 'n', mode: 'shared', vxlan: { port: 4789 } };
    const rules = { backend: 'nftables', options: { backend: 'nftables', policy: 'accept', ports: [] }, admit: [] };
    const spec = { options, ranges: [], routes: [], rules };
    const row = { name: 'web', driver: 'overlay', device: 'br', bootId: core.host.identity.bootId, owned: [], spec };
    core.store.networks.put({ ...row, ...changes } as unknown as NetworkRow);
  };
  beforeEach(() => {
    filter = new FakeFirewaller();
    core = {
      ...makeCore(new FakeHost()),
      firewall: (backend: FirewallBackend) => filter.of(backend),
    } as unknown as CallCore;
    guard = new PeerGuard({ family: 4, addresses: () => ['192.0.2.2'] });
  });
  const kinds = (): string[] => filter.list().map(({ kind }) => kind);

  it('is there as soon as the network of an earlier boot is restored', async () => {
    put({ bootId: 'before' });
    await guard.sync(core);
    assert.deepEqual(kinds(), []);
    put({});
    await guard.sync(core);
    assert.deepEqual(kinds().sort(), ['peer', 'underlay']);
  });

  it('is there as soon as a deleted network is created again', async () => {
    put({});
    await guard.sync(core);
    await guard.sync(core);
    await filter.remove(filter.list());
    core.store.networks.delete('web');
    put({});
    await guard.sync(core);
    assert.deepEqual(kinds().sort(), ['peer', 'underlay']);
  });

  it('is not looked at again while nothing changes', async () => {
    put({});
    await guard.sync(core);
    await guard.sync(core);
    await filter.remove(filter.list());
    await guard.sync(core);
    assert.deepEqual(kinds(), []);
  });
});

describe('cluster: the underlay address of this host', () => {
  const at = (underlay4?: string): Self => {
    return { id: 'a', name: 'a', bootId: 'b', mtu: 1500, release: '1', ...(underlay4 !== undefined && { underlay4 }) };
  };
  let found: Self;
  let steps: string[];
  let failing: string | undefined;
  const followed = (): FollowedSelf => {
    const step =
      (name: string) =>
      async ({ underlay4 }: Self): Promise<void> => {
        steps.push(`${name} ${underlay4}`);
        if (name === failing) throw new Error(`no ${name}`);
      };
    return new FollowedSelf({ describe: () => found, move: step('move'), renumber: step('renumber') });
  };
  beforeEach(() => {
    [found, steps, failing] = [at('192.0.2.1'), [], undefined];
  });

  it('is taken over once; none at all is not', async () => {
    const self = followed();
    found = at();
    await self.follow();
    found = at('192.0.2.2');
    await self.follow();
    await self.follow();
    assert.deepEqual(steps, ['move 192.0.2.2', 'renumber 192.0.2.2']);
    assert.equal(self.current.underlay4, '192.0.2.2');
  });

  it('is taken over at the next look if the devices were not moved, also back', async () => {
    const self = followed();
    failing = 'move';
    found = at('192.0.2.2');
    await assert.rejects(self.follow(), /no move/);
    await assert.rejects(self.follow(), /no move/);
    failing = undefined;
    found = at('192.0.2.1');
    await self.follow();
    assert.deepEqual(steps, ['move 192.0.2.2', 'move 192.0.2.2', 'move 192.0.2.1', 'renumber 192.0.2.1']);
    assert.equal(self.current.underlay4, '192.0.2.1');
  });

  it('does not move the devices again if only the announcement failed, which the cluster repeats', async () => {
    const self = followed();
    failing = 'renumber';
    found = at('192.0.2.2');
    await assert.rejects(self.follow(), /no renumber/);
    await self.follow();
    assert.deepEqual(steps, ['move 192.0.2.2', 'renumber 192.0.2.2']);
  });
});
