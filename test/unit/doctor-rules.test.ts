import { strict as assert } from 'node:assert';
import { fault } from '../../src/shared/errors/fault.ts';
import type { View } from '../../src/shared/host/host.ts';
import { formatAlias } from '../../src/shared/model/alias.ts';
import type { DockerEndpoint } from '../../src/shared/model/endpoint.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { collapse } from '../../src/shared/ops/doctor/collapse.ts';
import type { Facts, KernelFacts, PathFacts } from '../../src/shared/ops/doctor/facts.ts';
import { diagnose, RULES } from '../../src/shared/ops/doctor/registry.ts';
import type { DockerNetworkRow } from '../../src/shared/store/store.ts';
import { attachmentOf } from '../support/core.ts';
import { readPage } from '../support/docs.ts';
import {
  HOST_IF,
  healthyEndpoint,
  healthyFacts,
  healthyNetwork,
  healthyStatus,
  linkOf,
  loneEndpoint,
  NOW,
  specWith,
} from '../support/doctor-facts.ts';

type Break = (facts: Facts) => Partial<Facts>;

const lacking = (...ops: readonly Op[]): Partial<Facts> => ({
  networks: [{ ...healthyNetwork(), lack: { ops, entries: [] } }],
});
const viewWith = (facts: Facts, more: Partial<View>): Partial<Facts> => ({ view: { ...facts.view, ...more } });
const linksWith = ({ view }: Facts, ...more: readonly ReturnType<typeof linkOf>[]): Partial<Facts> => {
  return { view: { ...view, links: new Map([...view.links, ...more.map((link) => [link.name, link] as const)]) } };
};
const kernelWith = ({ kernel }: Facts, more: Partial<KernelFacts>): Partial<Facts> => ({
  kernel: { ...kernel, ...more },
});
const stateWith = ({ state }: Facts, more: Partial<Facts['state']>): Partial<Facts> => ({
  state: { ...state, ...more },
});
const cniWith = ({ cni }: Facts, more: Partial<Facts['cni']>): Partial<Facts> => ({ cni: { ...cni, ...more } });
const daemonWith = ({ daemon }: Facts, more: Partial<Facts['daemon']>): Partial<Facts> => ({
  daemon: { ...daemon, ...more },
});
const pathWith = (more: Partial<PathFacts>): Partial<Facts> => {
  const path: PathFacts = {
    path: '/run/isthmus',
    is: 'directory',
    wanted: 'directory',
    mode: 0o700,
    most: 0o700,
    uid: 0,
  };
  return { paths: [{ ...path, ...more }] };
};
const sysctlsWith = (facts: Facts, ...pairs: readonly (readonly [string, string])[]): Partial<Facts> =>
  viewWith(facts, { sysctls: new Map([...facts.view.sysctls, ...pairs]) });
const recordsWith = (facts: Facts, more: Partial<NonNullable<Facts['records']>>): Partial<Facts> => {
  assert.ok(facts.records !== undefined);
  return { records: { ...facts.records, ...more } };
};
const dropBy = (owner: Facts['drops'][number]['owner']): Partial<Facts> => ({
  drops: [
    {
      ...{ network: 'web', device: 'isth0', owner, place: 'table inet x, chain f, policy drop' },
      ...{ packets: 'what the network sends out', cure: 'nft …', reloads: false },
    },
  ],
});
const DOCKER: DockerNetworkRow = {
  ...{ id: 'd'.repeat(64), network: 'docker-dddddddddddd', driver: 'bridge', request: '{}', internal: false },
  ...{ mode4: 'nat', mode6: 'nat', ifPrefix: 'eth', createdAt: NOW - 1000 },
};
const ENTRY: FirewallEntry = { kind: 'masquerade', subnet: '10.88.0.0/24', except: [] };

/** What breaks exactly the thing that the rule is about, and words that the finding has. */
const BREAKS: Readonly<Record<string, readonly (readonly [title: string, break_: Break, words: RegExp])[]>> = {
  'forwarding-off': [
    [
      'ip_forward is 0',
      () => lacking({ op: 'sysctl.set', ns: 'host', key: 'net/ipv4/ip_forward', value: '1' }),
      /does not forward packets of network web.*sysctl -w net\/ipv4\/ip_forward=1/s,
    ],
    [
      'so for IPv6',
      () => lacking({ op: 'sysctl.set', ns: 'host', key: 'net/ipv6/conf/all/forwarding', value: '1' }),
      /net\/ipv6\/conf\/all\/forwarding/,
    ],
  ],
  'bridge-missing': [
    [
      'the bridge is deleted, with its address',
      () =>
        lacking(
          { op: 'link.create', ns: 'host', name: 'isth0', link: { kind: 'bridge' } },
          { op: 'addr.add', ns: 'host', dev: 'isth0', address: '10.88.0.1/24' },
        ),
      /isth0 is gone.*isthmus reload/s,
    ],
  ],
  'bridge-down': [
    [
      'ip link set down',
      () => lacking({ op: 'link.set', ns: 'host', name: 'isth0', set: { up: true } }),
      /isth0 is down.*ip link set dev isth0 up/s,
    ],
  ],
  'bridge-without-address': [
    [
      'ip addr flush',
      () => lacking({ op: 'addr.add', ns: 'host', dev: 'isth0', address: '10.88.0.1/24' }),
      /lacks 10\.88\.0\.1\/24.*ip addr(ess)? add 10\.88\.0\.1\/24/s,
    ],
  ],
  'setting-missing': [
    [
      'route_localnet was reset',
      () => lacking({ op: 'sysctl.set', ns: 'host', key: 'net/ipv4/conf/isth0/route_localnet', value: '1' }),
      /lacks a setting.*route_localnet/s,
    ],
  ],
  'rules-missing': [
    [
      'rules of the network were flushed',
      () => ({
        networks: [{ ...healthyNetwork(), lack: { ops: [], entries: [{ backend: 'nftables', entries: [ENTRY] }] } }],
      }),
      /1 entry of the packet filter is missing: masquerade.*isthmus reload/s,
    ],
    [
      'those of a container',
      () => ({ lacks: [{ part: healthyEndpoint(), ops: [], entries: [ENTRY, ENTRY] }] }),
      /container a eth0.*2 entries of the packet filter are missing/s,
    ],
  ],
  'network-unusable': [
    [
      'the bridge is another kind of device',
      () => ({
        networks: [
          { ...healthyNetwork(), obstacle: fault.conflict('ADD', 'link isth0', 'is no bridge', 'Name another') },
        ],
      }),
      /link isth0: is no bridge.*Name another/s,
    ],
  ],
  'foreign-filter-drops': [
    ['a table with policy drop', () => dropBy('another program'), /drops what the network sends out/],
  ],
  'firewalld-drops': [['a zone', () => dropBy('firewalld'), /firewalld drops/]],
  'ufw-drops': [['ufw', () => dropBy('ufw'), /ufw drops/]],
  'docker-drops': [["Docker's FORWARD", () => dropBy('Docker'), /Docker drops/]],
  'port-off-bridge': [
    [
      'ip link set nomaster',
      () => ({
        lacks: [
          {
            part: healthyEndpoint(),
            ops: [{ op: 'link.set', ns: 'host', name: HOST_IF, set: { master: 'isth0', up: true } }],
            entries: [],
          },
        ],
      }),
      /container a eth0.*ip link set dev vetha/s,
    ],
  ],
  'limit-missing': [
    [
      'tc qdisc del',
      () => ({
        lacks: [
          {
            part: healthyEndpoint(),
            ops: [
              { op: 'tbf.add', ns: 'host', dev: HOST_IF, rate: 1000, burst: 1000, latencyUs: 25_000 } as unknown as Op,
            ],
            entries: [],
          },
        ],
      }),
      /bandwidth limit is gone/,
    ],
  ],
  'endpoint-without-interface': [
    [
      'the host side is deleted',
      (facts) => {
        const { [HOST_IF]: _, ...rest } = Object.fromEntries(facts.view.links);
        return viewWith(facts, { links: new Map(Object.entries(rest)) });
      },
      /vetha, is gone/,
    ],
  ],
  'endpoint-without-namespace': [
    [
      'the namespace is gone without DEL',
      () => ({ sandboxes: [{ part: healthyEndpoint(), namespace: 'gone', lacking: [] }] }),
      /\/run\/netns\/pod is gone, and no DEL/,
    ],
  ],
  'interface-missing-inside': [
    [
      'eth0 deleted in the container',
      () => ({ sandboxes: [{ part: healthyEndpoint(), namespace: 'there', interface: 'missing', lacking: [] }] }),
      /eth0 is gone from the container/,
    ],
  ],
  'plugin-left': [
    [
      'DEL while the Docker plugin was not installed',
      (facts) =>
        recordsWith(facts, { left: [{ plugins: ['gp'], network: 'acme', what: 'endpoint 0a1b with 10.7.0.2/24' }] }),
      /network acme: Docker plugin gp still has endpoint 0a1b.*isthmus network rm --force acme/s,
    ],
  ],
  'parent-missing': [
    [
      'the parent of two pods and of a container deleted, renamed or moved',
      (facts) => {
        const parts = [loneEndpoint('m1', 'up0'), loneEndpoint('m2', 'up0'), loneEndpoint('m3', 'eth0')];
        return recordsWith(facts, { endpoints: parts, leases: [] });
      },
      /network web: its parent up0 is gone from this host/,
    ],
    [
      'the parent of a container of Docker deleted',
      (facts) => {
        const { link, inside: _, ...rest } = loneEndpoint('m1', 'up0');
        const part: DockerEndpoint = { ...rest, kind: 'docker', lone: link, addresses: [], createdAt: 0 };
        return recordsWith(facts, { endpoints: [part], leases: [] });
      },
      /its parent up0 is gone from this host/,
    ],
  ],
  'interface-down-inside': [
    [
      'eth0 down in the container',
      () => ({ sandboxes: [{ part: healthyEndpoint(), namespace: 'there', interface: 'down', lacking: [] }] }),
      /eth0 is down in the container.*nsenter --net=\/run\/netns\/pod ip link set dev eth0 up/s,
    ],
  ],
  'address-missing-inside': [
    [
      'ip addr flush in the container',
      () => ({ sandboxes: [{ part: healthyEndpoint(), namespace: 'there', lacking: ['10.88.0.2/24'] }] }),
      /lacks its address 10\.88\.0\.2\/24/,
    ],
  ],
  'interface-without-endpoint': [
    [
      'a link of an attachment that is not on record',
      (facts) => {
        const alias = formatAlias({ attachment: attachmentOf({ id: 'lost' }), addresses: [] });
        return linksWith(facts, linkOf('vethlost', { alias, kind: 'veth', master: 'isth0' }));
      },
      /link vethlost.*container lost eth0 of network web/s,
    ],
  ],
  'call-unfinished': [
    [
      'a call that was killed',
      (facts) => recordsWith(facts, { unfinished: [{ ...healthyEndpoint('b'), progress: 'intent' }] }),
      /a call for it \(interface\) ended before it was done/,
    ],
  ],
  'record-broken': [
    [
      "a network's row",
      (facts) => recordsWith(facts, { brokenNetworks: ['web'] }),
      /network web: its record cannot be read/,
    ],
    [
      "an endpoint's row",
      (facts) =>
        recordsWith(facts, { brokenEndpoints: [{ attachment: attachmentOf({ id: 'z' }), role: 'interface' }] }),
      /container z eth0: its record/,
    ],
  ],
  'subnet-overlaps': [
    [
      'a route of a VPN to the same subnet',
      (facts) =>
        viewWith(facts, {
          routes: [...facts.view.routes, { dst: '10.88.0.0/25', dev: 'wg0', table: 254, protocol: 3 }],
        }),
      /10\.88\.0\.0\/24 overlaps the route to 10\.88\.0\.0\/25 by wg0/,
    ],
    [
      'an address of the host',
      (facts) => {
        const address = { dev: 'eth0', address: '10.88.0.9/32', scope: 'global', permanent: true } as const;
        return viewWith(facts, { addresses: [{ ...address, dadFailed: false, tentative: false }] });
      },
      /the address 10\.88\.0\.9\/32 of the host's eth0/,
    ],
  ],
  'pool-nearly-full': [
    [
      'all but a few',
      () => ({
        networks: [{ ...healthyNetwork(), subnets: healthyNetwork().subnets.map((one) => ({ ...one, leased: 240 })) }],
      }),
      /^warning.*240 of 253 addresses of 10\.88\.0\.0\/24.*After 13 more/s,
    ],
    [
      'all',
      () => ({
        networks: [{ ...healthyNetwork(), subnets: healthyNetwork().subnets.map((one) => ({ ...one, leased: 253 })) }],
      }),
      /^error.*253 of 253/s,
    ],
  ],
  'lease-without-endpoint': [
    [
      'an address whose owner is not on record',
      (facts) => {
        const { leases = [] } = facts.records ?? {};
        const address = { family: 4, value: 0x0a580003n } as const;
        const owner = attachmentOf({ id: 'lost' });
        return recordsWith(facts, { leases: [...leases, { scope: '/s', address, owner, source: 'store' }] });
      },
      /address 10\.88\.0\.3: it is leased to container lost eth0/,
    ],
  ],
  'address-twice': [
    [
      'two records of one bridge',
      (facts) => {
        const other = healthyEndpoint('b');
        const part = { ...other, link: { ...other.link, hostIf: HOST_IF } };
        return recordsWith(facts, { endpoints: [healthyEndpoint(), part] });
      },
      /address 10\.88\.0\.2: two containers on isth0 have it/,
    ],
    [
      'another MAC answers (probed)',
      () => ({
        probes: {
          paths: [],
          twice: [
            {
              network: 'web',
              container: 'a',
              address: '10.88.0.2',
              own: '0a:58:0a:58:00:02',
              other: '02:00:00:00:00:09',
            },
          ],
        },
      }),
      /02:00:00:00:00:09 answers for it on network web/,
    ],
  ],
  'rp-filter-strict': [
    [
      'the subnet is routed elsewhere',
      (facts) => ({
        ...viewWith(facts, {
          routes: facts.view.routes.filter(({ dev }) => dev !== 'isth0'),
          sysctls: new Map([['net/ipv4/conf/isth0/rp_filter', '1']]),
        }),
      }),
      /isth0 are checked strictly, and 10\.88\.0\.0\/24 is routed to eth0/,
    ],
    [
      'a second uplink, with published ports',
      (facts) => {
        const entry = { kind: 'port', protocol: 'tcp', hostPort: 80, address: '10.88.0.2', port: 80 } as const;
        const published = {
          backend: 'nftables',
          entries: [{ ...entry, snat: true, masqAll: false, conditions: [] }],
        } as const;
        return {
          ...recordsWith(facts, { endpoints: [{ ...healthyEndpoint(), published }] }),
          ...viewWith(facts, {
            routes: [...facts.view.routes, { dst: '0.0.0.0/0', dev: 'eth1', priority: 100, table: 254, protocol: 3 }],
            sysctls: new Map([['net/ipv4/conf/eth1/rp_filter', '1']]),
          }),
        };
      },
      /arrive by eth1 are checked strictly/,
    ],
  ],
  'br-netfilter-off': [
    [
      'the module is not loaded',
      () => ({ networks: [healthyNetwork({ spec: specWith('isolated') })] }),
      /br_netfilter is not loaded.*modprobe br_netfilter/s,
    ],
    [
      'it is switched off',
      (facts) => ({
        networks: [healthyNetwork({ spec: specWith('isolated') })],
        ...sysctlsWith(facts, ['net/bridge/bridge-nf-call-iptables', '0']),
      }),
      /bridge-nf-call-iptables is 0/,
    ],
  ],
  'mtu-above-uplink': [
    ['a smaller uplink', (facts) => linksWith(facts, linkOf('eth0', { mtu: 1400 })), /MTU is 1500.*eth0, is 1400/s],
  ],
  'mtu-above-path': [
    [
      'a smaller link on the way (probed)',
      () => ({
        probes: {
          twice: [],
          paths: [{ from: 'container a eth0', network: 'web', to: '192.0.2.1', mtu: 1500, arrives: 1420 }],
        },
      }),
      /packets of 1500 bytes from container a eth0 do not arrive at 192\.0\.2\.1; 1420 is the most/,
    ],
  ],
  'conntrack-nearly-full': [
    ['nearly', (facts) => kernelWith(facts, { conntrack: { count: 950, max: 1000 } }), /^warning.*950 of 1000/s],
    ['full', (facts) => kernelWith(facts, { conntrack: { count: 1000, max: 1000 } }), /^error.*nf_conntrack_max=2000/s],
  ],
  'neighbours-nearly-full': [
    [
      'above gc_thresh2',
      (facts) => kernelWith(facts, { neighbours: [{ family: 4, count: 600, soft: 512, hard: 1024 }] }),
      /^warning.*600 neighbours.*gc_thresh3=4096/s,
    ],
    [
      'at gc_thresh3',
      (facts) => kernelWith(facts, { neighbours: [{ family: 6, count: 1020, soft: 512, hard: 1024 }] }),
      /^error.*net\.ipv6\.neigh/s,
    ],
  ],
  'bridge-ports-full': [
    [
      'full',
      (facts) => linksWith(facts, ...Array.from({ length: 1022 }, (_, i) => linkOf(`v${i}`, { master: 'isth0' }))),
      /^error.*isth0 has 1023 of the 1023 ports/s,
    ],
    [
      'nearly',
      (facts) => linksWith(facts, ...Array.from({ length: 950 }, (_, i) => linkOf(`v${i}`, { master: 'isth0' }))),
      /^warning.*After 72 more/s,
    ],
  ],
  'module-missing': [
    ['vxlan is not installed', (facts) => kernelWith(facts, { missingModules: ['vxlan'] }), /modprobe vxlan/],
  ],
  'clock-jumped': [
    ['records from the future', (facts) => stateWith(facts, { latest: NOW + 3_600_000 }), /3600 seconds in the future/],
    [
      'a change since the daemon started',
      (facts) =>
        daemonWith(facts, {
          control: {
            state: 'answers',
            status: { ...healthyStatus(), startedAt: new Date(NOW - 7_200_000).toISOString() },
          },
        }),
      /changed by 7195 seconds/,
    ],
  ],
  'state-broken': [
    [
      'bytes of chance',
      (facts) => stateWith(facts, { broken: 'file is not a database' }),
      /cannot be read: file is not/,
    ],
  ],
  'state-unusable': [
    [
      'another process holds it',
      (facts) => stateWith(facts, { unusable: 'store.open: it is locked' }),
      /directory \/var\/lib\/isthmus: store\.open: it is locked/,
    ],
  ],
  'state-set-aside': [
    [
      'it was replaced',
      (facts) => stateWith(facts, { aside: ['state.db.corrupt-1'] }),
      /set aside: state\.db\.corrupt-1/,
    ],
  ],
  'state-newer': [
    ['a later schema', (facts) => stateWith(facts, { newerSchema: 99 }), /newer version has written it \(schema 99\)/],
  ],
  'state-of-another-boot': [
    [
      'rows of an earlier boot',
      (facts) =>
        stateWith(facts, { boots: [...facts.state.boots, { host: 'root', boot: 'old', endpoints: 2, leases: 1 }] }),
      /2 endpoints and 1 lease of an earlier boot/,
    ],
    [
      'rows of a namespace of an earlier boot',
      (facts) =>
        stateWith(facts, { boots: [...facts.state.boots, { host: 'old:12', boot: 'old', endpoints: 1, leases: 1 }] }),
      /1 other host of an earlier boot/,
    ],
    ['records that lag behind', (facts) => stateWith(facts, { behind: true }), /does not agree with this boot yet/],
  ],
  'wrong-mode': [
    [
      'others may read',
      () => pathWith({ mode: 0o755 }),
      /its mode is 0755, and 0700 is the most.*chmod 0700 \/run\/isthmus/s,
    ],
    ["another user's", () => pathWith({ uid: 1000 }), /belongs to user 1000, not to 0.*chown 0/s],
    ['a symbolic link', () => pathWith({ is: 'link' }), /a symbolic link, not a directory/],
  ],
  'config-unreadable': [
    [
      'two commas',
      (facts) =>
        cniWith(facts, {
          files: [...facts.cni.files, { path: '/etc/cni/net.d/20-x.conflist', own: false, problem: 'is not JSON' }],
        }),
      /20-x\.conflist: is not JSON/,
    ],
  ],
  'config-not-first': [
    [
      '05-other.conflist',
      (facts) =>
        cniWith(facts, {
          files: [{ path: '/etc/cni/net.d/05-other.conflist', network: 'o', own: false }, ...facts.cni.files],
        }),
      /05-other\.conflist comes before it/,
    ],
  ],
  'loopback-missing': [
    [
      'not installed',
      (facts) => cniWith(facts, { plugins: new Set(['isthmus']) }),
      /plugin loopback.*ln -s isthmus \/opt\/cni\/bin\/loopback/s,
    ],
  ],
  'daemon-hung': [
    [
      'SIGSTOP',
      (facts) => daemonWith(facts, { control: { state: 'hung', why: 'it does not answer within 300 ms' } }),
      /within 300 ms.*systemctl restart/s,
    ],
    [
      'another program',
      (facts) => daemonWith(facts, { control: { state: 'broken', why: 'its answer is of no use' } }),
      /of no use/,
    ],
  ],
  'daemon-absent': [
    [
      'with Docker networks',
      (facts) => ({
        ...recordsWith(facts, { dockerNetworks: [DOCKER] }),
        docker: [{ id: DOCKER.id, name: 'app', driver: 'isthmus' }],
        ...daemonWith(facts, { control: { state: 'absent', why: '' }, hasSocket: false, listening: [] }),
      }),
      /^error.*it does not run/s,
    ],
    [
      'with a socket that nobody serves',
      (facts) => daemonWith(facts, { control: { state: 'absent', why: '' }, listening: [] }),
      /^warning.*it has ended/s,
    ],
  ],
  'daemon-other-version': [
    [
      'an old daemon',
      (facts) => ({
        ...daemonWith(facts, { control: { state: 'answers', status: { ...healthyStatus(), version: '0.0.9' } } }),
        ...cniWith(facts, { installed: { path: '/opt/cni/bin/isthmus', version: '0.0.9' } }),
      }),
      /it is version 0\.0\.9, and this program is 0\.1\.0/,
    ],
    [
      'an old plugin',
      (facts) => cniWith(facts, { installed: { path: '/opt/cni/bin/isthmus', version: '0.0.9' } }),
      /plugin \/opt\/cni\/bin\/isthmus: it is version 0\.0\.9, and the daemon is 0\.1\.0/,
    ],
    [
      'a daemon without control.sock',
      (facts) => daemonWith(facts, { control: { state: 'old', why: 'it has no control.sock' } }),
      /no control\.sock/,
    ],
  ],
  'two-daemons': [
    [
      'two sockets',
      (facts) => daemonWith(facts, { listening: ['/a/cni.sock', '/b/cni.sock'] }),
      /2 daemons serve this host: \/a\/cni\.sock, \/b/,
    ],
  ],
  'docker-network-unknown': [
    [
      'dockerd has lost it',
      (facts) => ({ ...recordsWith(facts, { dockerNetworks: [DOCKER] }), docker: [] }),
      /Docker network dddddddddddd: dockerd does not know it/,
    ],
  ],
};

describe('doctor: rules', () => {
  it('find nothing on a healthy host', () => {
    assert.deepEqual(diagnose(healthyFacts()), []);
  });

  it('find nothing on a host that nothing has used yet', () => {
    const { records: _, docker: __, probes: ___, ...rest } = healthyFacts();
    const facts: Facts = {
      ...rest,
      ...{ networks: [], sandboxes: [], paths: [] },
      state: { ...rest.state, exists: false, boots: [], scopes: [], latest: 0 },
      cni: { ...rest.cni, files: [], plugins: new Set() },
      daemon: { runDir: '/run/isthmus', control: { state: 'absent', why: '' }, listening: [], hasSocket: false },
    };
    assert.deepEqual(diagnose(facts), []);
  });

  it('have a test each', () => {
    assert.deepEqual(Object.keys(BREAKS).sort(), RULES.map(({ name }) => name).sort());
  });

  it('are in docs/troubleshooting.md', () => {
    const [, table = ''] = readPage('docs/troubleshooting.md').split('## What doctor finds');
    const named = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/[a-z0-9-]+/g) ?? []);
    assert.deepEqual(named.sort(), RULES.map(({ name }) => name).sort());
  });

  for (const [name, all] of Object.entries(BREAKS)) {
    for (const [title, break_, words] of all) {
      it(`${name}: ${title}`, () => {
        const facts = healthyFacts();
        const found = diagnose({ ...facts, ...break_(facts) });
        assert.deepEqual([...new Set(found.map(({ rule }) => rule))], [name]);
        const [first] = found;
        assert.match(`${first?.level} ${first?.subject}: ${first?.what}\n${first?.cure} ${first?.why}`, words);
        for (const { what, why, cure, subject } of found)
          for (const text of [what, why, cure, subject]) assert.doesNotMatch(text, /undefined|\n|^$/);
      });
    }
  }

  it('show what many containers have in common as one finding', () => {
    const lacks = Array.from({ length: 1000 }, (_, i) => ({
      part: healthyEndpoint(`c${i}`),
      ops: [],
      entries: [ENTRY],
    }));
    const found = diagnose({ ...healthyFacts(), lacks });
    assert.equal(found.length, 1000);
    const [one, ...more] = collapse(found);
    assert.equal(more.length, 0);
    assert.match(
      `${one?.subject}: ${one?.what}`,
      /^1000 times in network web: container c0 eth0: 1 entry .* \(and 999 more;/,
    );
    assert.equal(collapse(found.slice(0, 3)).length, 3);
  });

  it('leave out what concerns other networks and containers', () => {
    const facts = healthyFacts();
    const one = { part: healthyEndpoint(), ops: [], entries: [ENTRY] };
    const broken: Facts = { ...facts, lacks: [one], ...kernelWith(facts, { conntrack: { count: 10, max: 10 } }) };
    const rules = (networks: string[], containers: string[]): string[] =>
      diagnose(broken, { networks, containers }).map(({ rule }) => rule);
    assert.deepEqual(rules(['web'], []), ['rules-missing', 'conntrack-nearly-full']);
    assert.deepEqual(rules(['web'], ['a']), ['rules-missing', 'conntrack-nearly-full']);
    assert.deepEqual(rules(['web'], ['b']), ['conntrack-nearly-full']);
    assert.deepEqual(rules(['other'], []), ['conntrack-nearly-full']);
  });
});
