import { strict as assert } from 'node:assert';
import { missingRules } from '../../src/shared/core/missing-rules.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { figuresOf } from '../../src/shared/ops/figures.ts';
import { makeCore, makeFakeHost } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { addWithSpec, keepRequest } from '../support/kept-network.ts';

const wait = async (): Promise<void> => {};

describe('figures of the state', () => {
  it('are zero without records', async () => {
    const core = makeCore(makeFakeHost());
    assert.deepEqual(figuresOf(core), { endpoints: { cni: 0, cnm: 0 }, networks: [], halfDone: 0 });
    assert.equal((await missingRules(core, wait)).length, 0);
  });

  it('count endpoints, addresses and what is half done', async () => {
    const core = makeCore(makeFakeHost());
    await createNetwork(core, keepRequest());
    const before = figuresOf(core).networks[0]?.addresses;
    await addWithSpec(core);
    const { endpoints, networks, halfDone } = figuresOf(core);
    assert.deepEqual([endpoints, halfDone], [{ cni: 1, cnm: 0 }, 0]);
    assert.deepEqual(
      networks[0]?.addresses.map(({ family, used }) => [family, used]),
      [
        [4, 1],
        [6, 1],
      ],
    );
    assert.equal(networks[0]?.addresses[0]?.free, (before?.[0]?.free ?? 0) - 1);
    const [row] = core.store.endpoints.list();
    assert.ok(row !== undefined);
    core.store.endpoints.put({ ...row, progress: 'intent' });
    core.store.networks.put({ ...(core.store.networks.list()[0] ?? assert.fail()), deleting: true });
    assert.equal(figuresOf(core).halfDone, 2);
  });

  it('count the entries that the packet filter lacks, and none of a call under way', async () => {
    const filter = new FakeFirewaller();
    const core = { ...makeCore(makeFakeHost()), firewall: filter.of.bind(filter) };
    await createNetwork(core, keepRequest());
    await addWithSpec(core, { conf: { ipMasq: true } });
    const all = filter.list();
    assert.ok(all.length > 0);
    assert.equal((await missingRules(core, wait)).length, 0);
    await filter.of('nftables').remove(all);
    await filter.of('bridge').remove(all);
    assert.equal((await missingRules(core, wait)).length, all.length);
    for (const row of core.store.endpoints.list()) core.store.endpoints.put({ ...row, progress: 'intent' });
    for (const row of core.store.networks.list()) core.store.networks.put({ ...row, deleting: true });
    assert.equal((await missingRules(core, wait)).length, 0);
  });
});
