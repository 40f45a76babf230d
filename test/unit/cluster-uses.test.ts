import { strict as assert } from 'node:assert';
import { Uses } from '../../cmd/cnm-shim/cluster-uses.ts';
import { addressesOf } from '../../src/shared/cluster/keys.ts';
import { endpointText } from '../../src/shared/cluster/values.ts';
import { deleteRecord } from '../../src/shared/core/endpoints/record.ts';
import type { RecalledEndpoint } from '../../src/shared/model/endpoint.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { Machine, networkRequest, type Process, settled } from '../support/cluster-machine.ts';

describe('cluster: which networks a host uses', () => {
  let place: MemoryCluster;
  let machine: Machine;
  let process: Process;
  let uses: Uses;
  const opened: Disposable[] = [];
  const start = async (changes = {}): Promise<void> => {
    process = machine.open(changes);
    opened.push(process);
    await process.join();
    const { local, cluster } = process;
    // Only its store is used.
    const core = { store: local, [Symbol.dispose]: () => {} } as unknown as CallCore;
    uses = new Uses(() => core, cluster, machine.self.id);
  };
  const keysOf = async (prefix: string): Promise<string[]> => [...(await process.store.list(prefix)).entries.keys()];
  /** As the daemon does it each second. */
  const follow = async (): Promise<void> => {
    for (const _ of [1, 2, 3]) {
      await uses.follow();
      await process.cluster.upkeep.tick();
      await settled();
    }
  };
  beforeEach(async () => {
    place = new MemoryCluster();
    machine = new Machine(place, 'a');
    opened.push(machine);
    await start();
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  it('one that is on record, or that calls have joined, however long they take', async () => {
    const calls = [new DisposableStack(), new DisposableStack()] as const;
    const id = await uses.create(networkRequest('web'), calls[0]);
    await settled();
    for (const call of calls) await uses.use(id, call);
    const past = performance.now();
    const { now } = performance;
    performance.now = () => now.call(performance) + 3_600_000;
    try {
      assert.ok(performance.now() > past + 3_000_000);
      await follow();
      assert.equal((await keysOf('u/')).length, 1);
      calls[0][Symbol.dispose]();
      await follow();
      assert.equal((await keysOf('u/')).length, 1, 'the other call has not ended');
    } finally {
      performance.now = now;
    }
    calls[1][Symbol.dispose]();
    await follow();
    assert.deepEqual([await keysOf('u/'), await keysOf('net/')], [[], []], 'no call has put it on record');
  });

  for (const mode of ['per-host', 'shared'] as const)
    it(`${mode}: one whose record was rebuilt from the kernel; its keys go with its endpoints`, async () => {
      const attachment = { camp: 'cni', network: 'web', containerId: 'c1', ifName: 'eth0' } as const;
      const endpoint = endpointText(attachment);
      const { cluster } = process;
      const { id } = await cluster.networks.create(networkRequest('web', { mode }));
      await settled();
      await cluster.networks.use(id);
      if (mode === 'per-host') await cluster.addresses.ranges(id);
      else cluster.addresses.settle(await cluster.addresses.claim({ network: id, requested: [], endpoint }));
      const before = await keysOf('');
      process[Symbol.dispose]();

      Object.assign(machine, { disk: new MemoryDisk() });
      const local = machine.local();
      const { bootId } = machine.self;
      local.networks.put({ name: 'web', driver: 'overlay', device: 'br', bootId, owned: [] });
      const sandbox = { path: '', id: '' } as const;
      const facts = {
        attachment,
        role: 'interface',
        progress: 'ready',
        sandbox,
        hostIf: 'veth1',
        scope: '/x/web',
      } as const;
      const recalled: RecalledEndpoint = { kind: 'recalled', ...facts };
      local.endpoints.put(recalled);
      await start({ local, isUsed: () => true });
      await follow();
      assert.deepEqual(await keysOf(''), before);

      local.transaction(() => deleteRecord(local, recalled));
      await process.cluster.upkeep.tick();
      assert.deepEqual(await keysOf(addressesOf(id)), []);
      await follow();
      assert.deepEqual([await keysOf('u/'), await keysOf('r/'), await keysOf('net/')], [[], [], []]);
    });
});
