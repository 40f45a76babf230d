import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BridgeFirewaller } from '../../src/shared/firewall/bridge.ts';
import { formatChange, type KernelChange } from '../../src/shared/host/changes.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { isOwnProcess, noteChild } from '../../src/shared/host/tool.ts';
import { watchHost } from '../../src/shared/host/watch.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';

const NFT = { tables: ['isthmus', 'end'], marks: ['isthmus', 'ISTHMUS-'] };

/** Changes by others, and the events reported for them; `order` of the list does not matter. */
const TOLD: readonly (readonly [title: string, commands: readonly string[], told: readonly string[]])[] = [
  ['a bridge that is deleted', ['ip link del isth0'], ['link isth0 deleted', 'link isth0 down', 'link veth0 detached']],
  ['a bridge of somebody else that is shut', ['ip link set br0 down'], ['link br0 down']],
  [
    'a bridge of somebody else whose ports change',
    ['ip link set other2 master br0'],
    ['bridge br0 of others', 'port other2 of br0'],
  ],
  [
    'a device that becomes a port of a bridge of ours',
    ['ip link set other2 master isth0', 'ip link set other2 nomaster'],
    ['port other2 of isth0', 'port other2 of isth0 deleted'],
  ],
  ['a port that leaves its bridge', ['ip link set veth0 nomaster'], ['link veth0 detached']],
  ['a port that is shut', ['ip link set veth0 down'], ['link veth0 down']],
  ['a port that is deleted', ['ip link del veth0'], ['link veth0 deleted', 'link veth0 down']],
  [
    'an address that is deleted',
    ['ip addr del 10.88.0.1/16 dev isth0'],
    ['address 10.88.0.1/16 of isth0 deleted', 'route 10.88.0.0/16 by isth0 deleted'],
  ],
  [
    'an IPv6 address that is deleted',
    ['ip addr del fd00:88::1/64 dev isth0'],
    ['address fd00:88::1/64 of isth0 deleted', 'route fd00:88::/64 by isth0 deleted'],
  ],
  ['a route that is deleted', ['ip route del 10.90.0.0/16'], ['route 10.90.0.0/16 by isth0 deleted']],
  [
    'forwarding that is shut',
    ['sysctl -q net.ipv4.ip_forward=0', 'sysctl -q net.ipv6.conf.all.forwarding=0'],
    ['forwarding of ip off', 'forwarding of ip6 off'],
  ],
  ['a table of ours that is deleted', ['nft delete table inet isthmus'], ['nftables inet isthmus: something deleted']],
  [
    'an element that is deleted',
    [`nft 'delete element inet isthmus open { "a" }'`],
    ['nftables inet isthmus: something deleted'],
  ],
  [
    'a flush of the whole ruleset',
    ['nft flush ruleset'],
    ['nftables inet isthmus: something deleted', 'nftables ip filter FORWARD: something deleted'],
  ],
  [
    'a flush of the chain where a rule of ours is',
    ['iptables-nft -F FORWARD'],
    ['nftables ip filter FORWARD: something deleted'],
  ],
  ['a policy that is set', ['iptables-nft -P FORWARD DROP'], ['nftables ip filter FORWARD: policy drop']],
];

/** Changes by others that do not concern us. */
const SILENT: readonly (readonly [title: string, commands: readonly string[]])[] = [
  [
    'links that others make and delete',
    [
      'ip link add other type veth peer name other1',
      'ip link set other up',
      'ip link set other down',
      'ip link del other',
    ],
  ],
  ['an address that is added', ['ip addr add 10.88.0.9/16 dev isth0']],
  ['a route of a routing daemon', ['ip route del 10.91.0.0/16']],
  ['forwarding of one device', ['sysctl -q net.ipv4.conf.br0.forwarding=0']],
  ['rules of others', ['nft delete table ip others', 'iptables-nft -D FORWARD -i other2 -j DROP']],
  ['additions to our table', [`nft 'add element inet isthmus open { "b" }'`]],
];

const GUARD = { kind: 'guard', port: 'veth0', mac: '0a:58:0a:58:00:02' } as const;

const SETUP = [
  'ip link set lo up',
  'sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1',
  'ip link add isth0 type bridge',
  'ip link set isth0 up alias isthmus',
  'ip addr add 10.88.0.1/16 dev isth0',
  'ip addr add fd00:88::1/64 dev isth0 nodad',
  'ip route add 10.90.0.0/16 via 10.88.0.2',
  'ip route add 10.91.0.0/16 via 10.88.0.2 proto bird',
  'ip link add veth0 type veth peer name peer0',
  'ip link set veth0 up alias isthmus master isth0',
  'ip link add br0 type bridge',
  'ip link set br0 up',
  'ip addr add 10.89.0.1/16 dev br0',
  'ip link add other2 type veth peer name other3',
  'ip link set other2 up',
  'nft add table ip others',
  'nft add table inet isthmus',
  "nft 'add set inet isthmus open { type ifname; }'",
  `nft 'add element inet isthmus open { "a" }'`,
  'iptables-nft -A FORWARD -i isth0 -m comment --comment isthmus -j ACCEPT',
  'iptables-nft -A FORWARD -i other2 -j DROP',
];

/** Changes that are always reported, one by each socket. */
const END = [
  'ip link add isth-end type bridge',
  'ip link del isth-end',
  'nft add table ip end',
  'nft delete table ip end',
];
const ENDS = ['link isth-end deleted', 'link isth-end down', 'nftables ip end: something deleted'];

describe('watchHost', () => {
  let host: LinuxHost;
  let netns: TestNetns;

  before(async function () {
    skipIf(this, netnsMissing());
    await stat('/');
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('w');
    netns.run('sh', '-ec', SETUP.join('\n'));
  });
  afterEach(() => netns?.[Symbol.dispose]());
  after(() => host?.[Symbol.dispose]());

  /** What is told of the commands, each once, until both sockets have told of what is done last. */
  async function toldOf(work: () => void, isOwn = isOwnProcess): Promise<string[]> {
    using ns = host.open(netns.path);
    const told = new Set<string>();
    const { promise, resolve } = Promise.withResolvers<void>();
    const changed = (changes: readonly KernelChange[]): void => {
      for (const change of changes) told.add(formatChange(change));
      if (ENDS.every((end) => told.has(end))) resolve();
    };
    using _watch = watchHost(ns, { nft: NFT, isOwn, changed });
    work();
    netns.run('sh', '-ec', END.join('\n'));
    await promise;
    return [...told].filter((text) => !ENDS.includes(text)).sort();
  }

  const shell = (commands: readonly string[]) => (): void => void netns.run('sh', '-ec', commands.join('\n'));

  for (const [title, commands, told] of TOLD)
    it(`reports ${title}`, async () => {
      assert.deepEqual(await toldOf(shell(commands)), [...told].sort());
    });

  for (const [title, commands] of SILENT)
    it(`does not report ${title}`, async () => {
      assert.deepEqual(await toldOf(shell(commands)), []);
    });

  it('does not report nftables transactions of the named process', async () => {
    using ns = host.open(netns.path);
    using firewaller = new BridgeFirewaller(ns);
    // Its raw messages go before the promise is returned.
    const deletion = (): void => void firewaller.remove([GUARD]);
    await firewaller.add([GUARD]);
    assert.deepEqual(await toldOf(deletion), []);
    await firewaller.add([GUARD]);
    assert.deepEqual(await toldOf(deletion, () => false), ['nftables bridge isthmus: something deleted']);
  });

  it('does not report nftables transactions of a tool that this process ran', async () => {
    const work = (): void => {
      const args = [`--net=${netns.path}`, 'nft', 'delete', 'table', 'inet', 'isthmus'];
      noteChild(spawnSync('nsenter', args).pid);
    };
    assert.deepEqual(await toldOf(work), []);
  });

  it('reports a loss when more changes come than fit the buffer', async () => {
    using ns = host.open(netns.path);
    const { promise, resolve } = Promise.withResolvers<void>();
    const changed = (changes: readonly KernelChange[]): void => {
      if (changes.some(({ kind }) => kind === 'lost')) resolve();
    };
    using _watch = watchHost(ns, { nft: NFT, changed });
    using dir = makeTempDir();
    const file = join(dir.path, 'script');
    const elements = Array.from({ length: 20_000 }, (_, i) => `"x${i}"`).join(', ');
    writeFileSync(file, `add element inet isthmus open { ${elements} }\nflush set inet isthmus open\n`);
    for (let i = 0; i < 6; i++) netns.run('nft', '-f', file);
    await promise;
  });
});
