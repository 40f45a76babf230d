import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { EMPTY_VIEW } from '../../src/shared/core/view.ts';
import type { View } from '../../src/shared/host/host.ts';
import { hostId, type SandboxId } from '../../src/shared/model/attachment.ts';
import type { CniEndpoint, LoneEndpoint } from '../../src/shared/model/endpoint.ts';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { DaemonStatus } from '../../src/shared/ops/control.ts';
import type { Facts, NetworkFacts } from '../../src/shared/ops/doctor/facts.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';
import { attachmentOf } from './core.ts';

const BOOT = '00000000-0000-4000-8000-000000000001';
export const NOW = 1_700_000_100_000;
export const HOST_IF = 'vetha';

export function linkOf(name: string, more: Partial<LinkState> = {}): LinkState {
  return {
    ...{
      index: 7,
      name,
      mac: '0a:58:0a:58:00:01',
      mtu: 1500,
      up: true,
      lowerUp: true,
      loopback: false,
      promisc: false,
    },
    ...{ allMulticast: false, txQueueLength: 1000, group: 0, altNames: [], ...more },
  };
}

/** Network `web` on bridge isth0 with one container, and a way out by eth0. */
export function healthyFacts(): Facts {
  const network = healthyNetwork();
  return {
    ...{ version: '0.1.0', uid: 0, now: NOW, lacks: [], drops: [], docker: [] },
    identity: { hostId: hostId('root'), bootId: BOOT, bootedAt: 1_700_000_000_000 },
    state: {
      ...{ dir: '/var/lib/isthmus', exists: true, behind: false, latest: NOW - 1000, scopes: ['/s'], aside: [] },
      boots: [{ host: 'root', boot: BOOT, endpoints: 1, leases: 1 }],
    },
    records: {
      ...{ networks: [network.row], endpoints: [healthyEndpoint()], dockerNetworks: [], unfinished: [] },
      ...{ brokenNetworks: [], brokenEndpoints: [], left: [] },
      leases: [{ scope: '/s', address: { family: 4, value: 0x0a580002n }, owner: attachmentOf(), source: 'store' }],
    },
    networks: [network],
    sandboxes: [{ part: healthyEndpoint(), namespace: 'there', lacking: [] }],
    view: healthyView(),
    kernel: {
      conntrack: { count: 100, max: 1000 },
      neighbours: [{ family: 4, count: 10, soft: 512, hard: 1024 }],
      missingModules: [],
    },
    paths: [
      { path: '/var/lib/isthmus', is: 'directory', wanted: 'directory', mode: 0o700, most: 0o700, uid: 0 },
      { path: '/run/isthmus/cni.sock', is: 'socket', wanted: 'socket', mode: 0o600, most: 0o600, uid: 0 },
    ],
    cni: {
      dir: '/etc/cni/net.d',
      files: [{ path: '/etc/cni/net.d/10-web.conflist', network: 'web', own: true }],
      pluginDirs: ['/opt/cni/bin'],
      plugins: new Set(['isthmus', 'loopback']),
      installed: { path: '/opt/cni/bin/isthmus', version: '0.1.0' },
    },
    daemon: {
      ...{ runDir: '/run/isthmus', listening: ['/run/isthmus/cni.sock'], hasSocket: true },
      control: { state: 'answers', status: healthyStatus() },
    },
    probes: {
      paths: [{ from: 'container a eth0', network: 'web', to: '192.0.2.254', mtu: 1500, arrives: 1500 }],
      twice: [],
    },
  };
}

export function healthyStatus(): DaemonStatus {
  return {
    ...{ version: '0.1.0', pid: 812, startedAt: new Date(NOW - 5000).toISOString(), uptimeSeconds: 5 },
    ...{ rssBytes: 60 << 20, eventLoopDelayMs: { p50: 1, p99: 2, max: 3 }, calls: { running: 0, waiting: 0 } },
    ...{ sockets: { cni: '/run/isthmus/cni.sock', control: '/run/isthmus/control.sock' }, lastErrors: [] },
  };
}

export function healthyNetwork(row: Partial<NetworkRow> = {}): NetworkFacts {
  return {
    row: {
      ...{ name: 'web', driver: 'bridge', device: 'isth0', owned: [], bootId: BOOT },
      ...{ spec: specWith('open'), ...row },
    },
    lack: { ops: [], entries: [] },
    subnets: [
      ...[
        { subnet: '10.88.0.0/24', gateway: '10.88.0.1', first: '10.88.0.2', last: '10.88.0.254', size: 253, leased: 1 },
      ],
    ],
  };
}

/** A spec of which rules look at the policy only. */
export function specWith(policy: string): NetworkSpec {
  return {
    options: { driver: 'bridge' },
    ranges: [],
    routes: [],
    rules: { options: { policy } },
  } as unknown as NetworkSpec;
}

export function healthyEndpoint(id = 'a'): CniEndpoint {
  const attachment = attachmentOf({ id });
  const link = { hostIf: HOST_IF, ifName: 'eth0', mac: '0a:58:0a:58:00:02', hostMac: 'fe:00:00:00:00:01' };
  return {
    ...{ kind: 'cni', role: 'interface', progress: 'ready', attachment, aliases: [], scope: '/s' },
    sandbox: { path: '/run/netns/pod', id: `${BOOT}:1` as SandboxId },
    link: { ...link, mtu: 1500, bridge: 'isth0', alias: '' },
    inside: {
      addresses: [{ address: '10.88.0.2/24', gateway: '10.88.0.1' }],
      routes: [],
      up: true,
      detectDuplicates: false,
    },
  };
}

/** An endpoint whose interface is a macvlan on the parent. */
export function loneEndpoint(id: string, dev: string): LoneEndpoint {
  const { attachment, sandbox, inside } = healthyEndpoint(id);
  return {
    ...{ kind: 'lone', role: 'interface', progress: 'ready', attachment, aliases: [], sandbox, inside },
    link: { ifName: 'eth0', link: { kind: 'macvlan', dev, devNs: 'host', mode: 'bridge' }, alias: '' },
  };
}

export function healthyView(): View {
  const links = [
    linkOf('isth0', { kind: 'bridge', index: 3 }),
    linkOf('eth0', { index: 2 }),
    linkOf(HOST_IF, { kind: 'veth', master: 'isth0' }),
  ];
  return {
    ...EMPTY_VIEW,
    links: new Map(links.map((link) => [link.name, link])),
    routes: [
      { dst: '0.0.0.0/0', dev: 'eth0', gateway: '192.0.2.254', table: 254, protocol: 3 },
      { dst: '192.0.2.0/24', dev: 'eth0', table: 254, protocol: 2 },
      { dst: '10.88.0.0/24', dev: 'isth0', table: 254, protocol: 2 },
      // Wider than the network's subnet: for the rest of it.
      { dst: '10.0.0.0/8', dev: 'eth0', gateway: '192.0.2.253', table: 254, protocol: 4 },
    ],
    sysctls: new Map([['net/ipv4/conf/all/rp_filter', '0']]),
  };
}
