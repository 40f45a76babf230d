import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf, addressKey } from '../../src/shared/cluster/keys.ts';
import { ownerOf } from '../../src/shared/cluster/ledger.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Addr } from '../../src/shared/model/addr.ts';
import type { ClusterStore, WatchItem } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { type ByteProxy, startProxy } from '../support/byte-proxy.ts';
import { networkRequest, wrapStore } from '../support/cluster-machine.ts';
import { type EtcdSite, etcdMissing, makeEtcd } from '../support/etcd.ts';
import { differences } from '../support/simulation/expected.ts';
import { SimulatedHost } from '../support/simulation/simulated-host.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const ROOT = '/isthmus/simulation/v1/';
const HOSTS = 30;
type Among = () => readonly SimulatedHost[];
/** Every third host reaches etcd through a proxy. */
const isFar = (index: number): boolean => index % 3 === 0;

describe('cluster: thirty simulated hosts on one etcd', function () {
  this.timeout(120_000);
  let etcd: EtcdSite;
  let temp: TempDir;
  let proxy: ByteProxy | undefined;
  let hosts: SimulatedHost[] = [];
  /** Ids of the networks. */
  let networks: string[];
  /** Snapshots that watches have delivered. */
  let snapshots = 0;

  const seed = Number(process.env.ISTHMUS_SIMULATION_SEED ?? Date.now() % 1_000_000);
  const random = generator(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const one = <T>(all: readonly T[]): T => all[below(all.length)] ?? assert.fail('nothing to choose from');
  const up = (): SimulatedHost[] => hosts.filter(({ isUp }) => isUp);
  const near = (): SimulatedHost[] => up().filter((host) => !isFar(hosts.indexOf(host)));
  const connect = async (): Promise<void> => {
    proxy = await startProxy(join(temp.path, 'far'), join(etcd.directory, 'm1:1'));
  };

  before(async function () {
    skipIf(this, etcdMissing());
    etcd = await makeEtcd();
    temp = makeTempDir();
    await connect();
    hosts = Array.from({ length: HOSTS }, (_, index) => {
      const endpoint = isFar(index) ? `unix://${temp.path}/far` : (etcd.endpoints[0] ?? '');
      const open = async (): Promise<ClusterStore> => {
        const store = await openClusterStore({ kind: 'etcd', endpoints: [endpoint], root: ROOT });
        return wrapStore(store, {
          watch: (prefix, signal) => counted(store.watch(prefix, signal), () => snapshots++),
        });
      };
      return new SimulatedHost({ index, open, stateDirs: temp.path });
    });
    const [first = assert.fail()] = hosts;
    await first.start();
    const flood = { flood: true, hostAddress: false, internal: false, encrypted: false };
    const requests = [
      networkRequest('bridged', { subnets: ['10.1.0.0/22'] }),
      networkRequest('dual', { subnets: ['10.2.0.0/22', 'fd00:2::/64'] }),
      networkRequest('flooded', { subnets: ['10.3.0.0/22'], options: flood }),
      networkRequest('routed', { subnets: ['10.4.0.0/16'], mode: 'per-host', hostLength4: 24 }),
    ];
    networks = [];
    for (const request of requests) networks.push((await first.cluster.networks.create(request)).id);
    await Promise.all(hosts.slice(1).map((host) => host.start()));
    // Each host is on three of the four.
    for (const [index, host] of hosts.entries())
      for (const [at, network] of networks.entries()) if ((index + at) % 4 !== 0) await host.use(network);
  });

  after(async () => {
    await Promise.all(hosts.map((host) => host.kill()));
    await proxy?.[Symbol.asyncDispose]();
    await etcd?.[Symbol.asyncDispose]();
    temp?.[Symbol.dispose]();
  });

  it('their tables equal the store after ADDs, DELs and moves', async () => {
    await disturb(400, up);
    await assertEqual();
  });

  it('the same where hosts crash, reboot and are forgotten meanwhile', async () => {
    const [crashed, rebooted, gone] = [hosts[1], hosts[2], hosts[4]] as [SimulatedHost, SimulatedHost, SimulatedHost];
    await crashed.kill();
    await rebooted.kill();
    await gone.kill();
    await disturb(60, up);
    endSession(rebooted);
    rebooted.reboot();
    await rebooted.start();
    endSession(gone);
    assert.ok((await (hosts[0] ?? assert.fail()).cluster.forget(gone.self.name)) > 0);
    await disturb(60, up);
    await crashed.start();
    await assertEqual();
    const lines = storeOf();
    assert.deepEqual(
      [...lines.values()].filter((text) => text.includes(gone.self.id)),
      [],
      'it has left nothing',
    );
  });

  it('the same where etcd has compacted what some hosts have not seen', async () => {
    await proxy?.[Symbol.asyncDispose]();
    const lost = snapshots;
    await disturb(80, near);
    const { header } = JSON.parse(etcd.ctl('get', 'none', '-w', 'json')) as { header: { revision: number } };
    etcd.ctl('compact', String(header.revision));
    await disturb(20, near);
    await connect();
    await assertEqual();
    assert.ok(snapshots > lost, 'a watch had to begin anew');
  });

  it('the same where etcd ends and comes back', async () => {
    const member = etcd.members[0] ?? assert.fail();
    const works = disturb(40, up);
    await member.kill();
    await sleep(500);
    await member.start();
    await works;
    await disturb(40, up);
    await assertEqual();
  });

  /** So many random steps, eight at a time. Calls that the store cannot serve are refused, and that is all. */
  async function disturb(count: number, among: Among): Promise<void> {
    let left = count;
    const lane = async (): Promise<void> => {
      while (left-- > 0)
        await step(one(among()), among).catch((error: unknown) => {
          if (!(error instanceof NetError) || error.kind !== 'unavailable') throw error;
        });
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  }

  async function step(host: SimulatedHost, among: Among): Promise<void> {
    const dice = random();
    const [endpoint] = [...host.endpoints.keys()].slice(below(host.endpoints.size || 1));
    if (endpoint === undefined || dice < 0.55) await host.add(one(host.networks));
    else if (dice < 0.8) host.del(endpoint);
    else await move(host, endpoint, among);
  }

  /** The endpoint's addresses go to another host. */
  async function move(from: SimulatedHost, endpoint: string, among: Among): Promise<void> {
    const { network, addresses } = from.endpoints.get(endpoint) ?? assert.fail();
    const to = one(among().filter((host) => host !== from && host.networks.includes(network)));
    from.del(endpoint);
    if (to.cluster.networks.record(network)?.mode !== 'shared') return;
    for (const end = Date.now() + 15_000; ; )
      try {
        await to.add(network, addresses);
        return;
      } catch (error) {
        // The outbox of the first has not been emptied yet, or somebody was faster.
        if (!(error instanceof NetError) || error.kind !== 'conflict' || Date.now() > end) throw error;
        await sleep(25);
      }
  }

  /** Its host is down: nobody waits until the session ends by itself. */
  function endSession({ self }: SimulatedHost): void {
    const leases = etcd.ctl('lease', 'list').split('\n').slice(1);
    for (const lease of leases.filter((line) => line !== ''))
      if (etcd.ctl('lease', 'timetolive', '--keys', lease).includes(`up/${self.id}`))
        etcd.ctl('lease', 'revoke', lease);
  }

  function storeOf(): Map<string, string> {
    const rows = etcd.ctl('get', '--prefix', ROOT).split('\n');
    const lines = new Map<string, string>();
    for (let i = 0; i + 1 < rows.length; i += 2) lines.set(rows[i]?.slice(ROOT.length) ?? '', rows[i + 1] ?? '');
    return lines;
  }

  /** In the end: tables, addresses and outboxes. */
  async function assertEqual(): Promise<void> {
    const end = Date.now() + 20_000;
    for (;;) {
      const lines = storeOf();
      const wrong = [...differences(up(), lines), ...up().flatMap((host) => ownDifferences(host, lines))];
      if (wrong.length === 0) return;
      if (Date.now() > end) assert.deepEqual(wrong, [], `seed ${seed}`);
      await sleep(100);
    }
  }

  /** What the store says of the host's own addresses, and the endpoints that it has. */
  function ownDifferences(host: SimulatedHost, lines: ReadonlyMap<string, string>): string[] {
    const { outbox, conflicts } = host.cluster.status();
    const shared = networks.filter((id) => host.cluster.networks.record(id)?.mode === 'shared');
    const stored = [...lines].flatMap(([key, text]) =>
      shared.some((id) => key.startsWith(addressesOf(id))) && ownerOf(key, text) === host.self.id ? [key] : [],
    );
    const used = [...host.endpoints.values()].flatMap(({ network, addresses }) =>
      shared.includes(network) ? addresses.map((addr: Addr) => addressKey(network, addr)) : [],
    );
    const isSame = stored.sort().join(' ') === used.sort().join(' ');
    return [
      ...(isSame ? [] : [`${host.self.name}: it uses ${used}, the store has ${stored}`]),
      ...(outbox === 0 ? [] : [`${host.self.name}: ${outbox} in the outbox`]),
      ...conflicts.map(({ key, holder }) => `${host.self.name}: ${holder} has ${key}`),
    ];
  }
});

async function* counted(items: AsyncIterable<WatchItem>, snapshot: () => void): AsyncGenerator<WatchItem> {
  for await (const item of items) {
    if (item.kind === 'snapshot') snapshot();
    yield item;
  }
}

/** mulberry32: numbers from 0 to 1, the same ones for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
