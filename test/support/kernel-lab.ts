import { strict as assert } from 'node:assert';
import { KernelTables, type OverlayDevices } from '../../cmd/cnm-shim/cluster-kernel.ts';
import { hostKey } from '../../src/shared/cluster/keys.ts';
import type { NetworkRequest } from '../../src/shared/cluster/networks.ts';
import { formatHost } from '../../src/shared/cluster/values.ts';
import type { RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Machine, type Process, settled } from './cluster-machine.ts';
import { lackOf, PER_HOST, remoteDevices, SHARED } from './remote.ts';

const SILENT = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** One host, `a`, with the tables of one network, and a store in which a test writes what other hosts would. */
export interface KernelLab extends Disposable {
  readonly network: string;
  readonly process: Process;
  readonly fake: FakeHost;
  readonly tables: KernelTables;
  /** What the kernel was told. */
  readonly ops: Op[];
  /** How often all of its tables were read. */
  readonly comparisons: number;
  /** Puts and deletes, all in one commit; resolves once the host has heard of it. */
  write(put: Readonly<Record<string, string>>, gone?: readonly string[]): Promise<void>;
  /** The kernel gets what it lacks now. */
  follow(): void;
  /** What the daemon does each second. */
  look(): void;
  /** This host holds these keys without a word to the store, or holds them no more. */
  hold(keys: Readonly<Record<string, string>>): void;
  release(keys: readonly string[]): void;
  /** What a comparison would still change. */
  lack(): Op[];
}

/** The record of another host, by its key. */
export const hostRecord = (name: string, underlay4: string): Record<string, string> => ({
  [hostKey(name)]: formatHost({ name, bootId: 'b', underlay4, mtu: 1500, release: '1' }),
});

export async function makeKernelLab(request: NetworkRequest): Promise<KernelLab> {
  const place = new MemoryCluster();
  const machine = new Machine(place, 'a');
  const fake = new FakeHost();
  const ops: Op[] = [];
  let comparisons = 0;
  let devices: OverlayDevices | undefined;
  const tables: KernelTables = new KernelTables({
    host: {
      own: fake.own,
      observe: (ns, query) => {
        if (query.forwarding !== undefined) comparisons++;
        return fake.observe(ns, query);
      },
      revert: (some, namespaces) => {
        ops.push(...some);
        return fake.revert(some, namespaces);
      },
    },
    log: SILENT,
    devices: () => (devices === undefined ? [] : [devices]),
    cluster: () => process.cluster,
    seal: () => {},
  });
  const process = machine.open({
    changed: (network, before) => tables.changed(network, before),
    peersChanged: () => tables.hostsChanged(),
  });
  await process.join();
  const { id } = await process.cluster.networks.create(request);
  await settled();
  await process.cluster.networks.use(id);
  const plain = request.mode === 'shared' ? SHARED : PER_HOST;
  fake.apply(remoteDevices(plain), { host: fake.own });
  const made = { name: request.name, network: id, vxlan: 'vx0', bridge: 'isth0' };
  devices = made;
  tables.mirror(made);
  return {
    ...{ network: id, process, fake, tables, ops },
    get comparisons() {
      return comparisons;
    },
    async write(put, gone = []) {
      const puts = Object.entries(put).map(([key, value]) => ({ key, value }));
      place.commit({ epoch: place.epoch, compare: [], put: puts, delete: gone });
      await settled();
    },
    follow: () => tables.mirror(made),
    look: () => tables.compareIfDue(),
    hold(keys) {
      for (const [key, value] of Object.entries(keys))
        machine.local().clusterKeys.put({ key, value, state: 'held', until: 0 });
    },
    release(keys) {
      for (const key of keys) machine.local().clusterKeys.delete(key);
    },
    lack() {
      const content = process.cluster.remote(id) ?? assert.fail('no content');
      return lackOf({ ...plain, ...content } as RemoteNetwork, fake, fake.own);
    },
    [Symbol.dispose]() {
      tables[Symbol.dispose]();
      process[Symbol.dispose]();
      machine[Symbol.dispose]();
    },
  };
}
