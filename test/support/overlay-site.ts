import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniAnswer } from './cni.ts';
import { type DaemonBin, type DaemonSite, makeSite, type SiteCall } from './daemon-site.ts';
import { type EtcdSetup, type EtcdSite, makeEtcd } from './etcd.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { makeTempDir } from './temp.ts';
import { makeVerbs, type Verbs } from './verbs.ts';
import { makeZooKeeper, type ZooKeeperSetup, type ZooKeeperSite } from './zookeeper.ts';

/** A host of a cluster: its daemon, on an underlay that all hosts share. */
export interface Member {
  readonly name: string;
  readonly site: DaemonSite;
  /** Its underlay address. */
  readonly address: string;
  /** Its cluster.json. */
  readonly file: string;
  /** `isthmus` on it. */
  readonly verbs: Verbs;
  /** Starts the daemon and waits until it has joined. */
  start(): Promise<void>;
  /** ADD on the network; returns the pod's addresses, without lengths. */
  add(pod: number, config?: object): string[];
  del(pod: number, config?: object): void;
}

/** Several hosts with one store. `dispose` ends and deletes all of it. */
export interface Overlay extends AsyncDisposable {
  /** Throws where the store is another. */
  readonly etcd: EtcdSite;
  readonly zooKeeper?: ZooKeeperSite;
  readonly members: readonly Member[];
  readonly underlay: TestNetns;
  /** The configuration of a network. */
  network(name: string, more?: object, ipam?: object): Record<string, unknown>;
}

export interface OverlaySetup {
  readonly hosts?: number;
  readonly pods?: number;
  readonly family?: 4 | 6;
  /** MTU of the underlay. */
  readonly mtu?: number;
  readonly etcd?: EtcdSetup;
  /** The store is ZooKeeper in place of etcd. */
  readonly zooKeeper?: ZooKeeperSetup;
}

const PREFIX = { 4: '192.0.2.', 6: 'fd00:2::' } as const;
const LENGTH = { 4: 24, 6: 64 } as const;

export async function makeOverlay(
  bin: DaemonBin,
  { hosts = 3, pods = 3, family = 4, mtu = 1500, etcd: setup = {}, zooKeeper: other }: OverlaySetup = {},
): Promise<Overlay> {
  await using opened = new AsyncDisposableStack();
  const zooKeeper = other && opened.use(await makeZooKeeper(other));
  const etcd = other === undefined ? opened.use(await makeEtcd(setup)) : undefined;
  const store = etcd ? { etcd: { endpoints: etcd.endpoints } } : { zookeeper: { endpoints: zooKeeper?.endpoints } };
  const dir = opened.use(makeTempDir());
  const underlay = opened.use(makeNetns('u'));
  underlay.ip('link', 'add', 'sw0', 'mtu', String(mtu), 'type', 'bridge', 'mcast_snooping', '0');
  underlay.ip('link', 'set', 'sw0', 'up');
  const members = Array.from({ length: hosts }, (_, i): Member => {
    const site = opened.use(makeSite(bin, { pods, conf: { cniVersion: '1.1.0' } }));
    const name = `host-${'abcdefgh'[i]}`;
    const address = `${PREFIX[family]}${i + 1}`;
    const { ns } = site.host;
    underlay.ip('link', 'add', `p${i}`, 'mtu', String(mtu), 'type', 'veth', 'peer', 'name', 'up0', 'netns', ns.name);
    underlay.ip('link', 'set', `p${i}`, 'master', 'sw0', 'up');
    const nodad = family === 6 ? ['nodad'] : [];
    ns.ip('addr', 'add', `${address}/${LENGTH[family]}`, 'dev', 'up0', ...nodad);
    ns.ip('link', 'set', 'up0', 'mtu', String(mtu), 'up');
    const file = join(dir.path, `${name}.json`);
    const config = { name: 'test', hostName: name, ...store, underlay: 'up0', family };
    writeFileSync(file, JSON.stringify(config));
    return {
      ...{ name, site, address, file },
      verbs: makeVerbs({
        ...{ stateDir: site.host.stateDir, netns: ns.path },
        env: { ISTHMUS_RUN_DIR: site.runDir, ISTHMUS_CLUSTER: file },
      }),
      start: async () => void (await site.start({ env: { ISTHMUS_CLUSTER: file } })),
      add: (pod, config = {}) => addressesIn(site.ok('ADD', callOf(pod, config))),
      del: (pod, config = {}) => void site.ok('DEL', callOf(pod, config)),
    };
  });
  const stack = opened.move();
  return {
    ...{ members, underlay, ...(zooKeeper !== undefined && { zooKeeper }) },
    get etcd() {
      return etcd ?? assert.fail('the store is not etcd');
    },
    network: (name, more = {}, ipam = { subnet: '10.100.0.0/16' }) => ({
      ...{ cniVersion: '1.1.0', name, type: 'isthmus', driver: 'overlay' },
      ...more,
      ipam: { routes: defaultsFor(JSON.stringify(ipam)), ...ipam },
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A default route for each family of the pools. */
const defaultsFor = (pools: string): object[] => [
  ...(/\d\.\d/.test(pools) ? [{ dst: '0.0.0.0/0' }] : []),
  ...(/::/.test(pools) ? [{ dst: '::/0' }] : []),
];

const callOf = (pod: number, config: object): SiteCall => ({ pod, config: config as Record<string, unknown> });

const addressesIn = ({ ips = [] }: CniAnswer): string[] => ips.map(({ address }) => address.split('/')[0] ?? '');
