import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { learnNames, type Twin } from './twins.ts';

/** Changes that another program makes on a host. A change without an object does nothing. */
export type Change = (twin: Twin) => void;

const sh =
  (script: string): Change =>
  (twin) =>
    twin.sh(script);

/** MACs are given: the kernel's are random, and differ between two hosts. */
const BRIDGE = (name: string, mac: number): string =>
  `ip link add ${name} address 02:00:00:00:01:0${mac} type bridge; ip link set ${name} up`;
const UPLINK = (name: string, bridge: string, mac: number): string =>
  `ip link add ${name} address 02:00:00:00:02:0${mac} type veth peer name ${name}-peer address 02:00:00:00:02:1${mac}
   ip link set ${name}-peer up; ip link set ${name} master ${bridge} up`;
/** The interface of a pod. */
const PORT = '$(ip -br link show type veth | sed -n "s/^\\(veth[^@]*\\)@.*/\\1/p" | head -1)';
const MOVE = 'ip link del moved; ip link set isth0 down; ip link set isth0 name moved';

const LINKS: Readonly<Record<string, Change>> = {
  'bridge deleted': sh('ip link del isth0'),
  'bridge deleted and made again': sh(`ip link del isth0; ${BRIDGE('isth0', 1)}`),
  'bridge renamed': sh(MOVE),
  'bridge renamed, one of others has its name': sh(`${MOVE}; ${BRIDGE('isth0', 2)}`),
  'bridge of others with an uplink': sh(`${BRIDGE('other', 3)}; ${UPLINK('up0', 'other', 3)}`),
  'bridge deleted, the one of others gets its name': sh(
    // Since Linux 6.2 a link need not be down for it: its ports hear nothing.
    `ip link show other && ip link del isth0; ip link set other name isth0 || {
      ip link set other down; ip link set other name isth0; ip link set isth0 up; }`,
  ),
  'bridge down': sh('ip link set isth0 down'),
  'gateway deleted': sh('ip addr flush dev isth0 scope global'),
  'address added': sh('ip addr add 192.0.2.1/24 dev isth0'),
  'uplink added': sh(UPLINK('up1', 'isth0', 1)),
  'uplinks detached': sh('for d in up0 up1; do ip link set $d nomaster; done'),
  'uplinks deleted': sh('for d in up0 up1; do ip link del $d; done'),
  'route deleted': sh('ip route del 10.88.0.0/24; ip -6 route del fd00:88::/64'),
  'route added': sh('ip route add blackhole 10.88.0.128/25; ip route add 10.88.0.0/16 dev lo'),
  'port deleted': sh(`ip link del ${PORT}`),
  'port detached': sh(`ip link set ${PORT} nomaster`),
  'port down': sh(`ip link set ${PORT} down`),
};

const SYSCTLS: Readonly<Record<string, Change>> = {
  'ip_forward off': sh('sysctl -w net.ipv4.ip_forward=0'),
  'forwarding of IPv6 off': sh('sysctl -w net.ipv6.conf.all.forwarding=0'),
  'forwarding of the bridge off': sh('sysctl -w net.ipv4.conf.isth0.forwarding=0'),
  'accept_ra changed': sh('sysctl -w net.ipv6.conf.all.accept_ra=2 net.ipv6.conf.isth0.accept_ra=2'),
  'route_localnet changed': sh('sysctl -w net.ipv4.conf.isth0.route_localnet=0 net.ipv4.conf.all.rp_filter=2'),
};

const FILTERS: Readonly<Record<string, Change>> = {
  'ruleset flushed': sh('nft flush ruleset'),
  'ruleset flushed, a table of others made': sh('nft flush ruleset; nft add table inet other'),
  'table deleted': sh('nft delete table inet isthmus'),
  'table of the bridge deleted': sh('nft delete table bridge isthmus'),
  'chains flushed': sh('nft flush table inet isthmus; nft flush table bridge isthmus'),
  'elements deleted': sh(
    'for s in port4 port6 networks hairpin own; do nft flush set inet isthmus $s; nft flush map inet isthmus $s; done',
  ),
  'iptables-nft flushed': sh('for t in nat filter; do iptables-nft -t $t -F; ip6tables-nft -t $t -F; done'),
  'iptables-nft: FORWARD drops': sh('iptables-nft -P FORWARD DROP'),
  'iptables-nft: FORWARD accepts, chains deleted': sh(
    'iptables-nft -P FORWARD ACCEPT; iptables-nft -F; iptables-nft -X; iptables-nft -t nat -F; iptables-nft -t nat -X',
  ),
  'iptables-legacy: FORWARD drops': sh('iptables-legacy -P FORWARD DROP'),
  'iptables-legacy: a rule': sh('iptables-legacy -t nat -A POSTROUTING -s 198.51.100.0/24 -j ACCEPT'),
  'firewalld starts': sh(`nft add table inet firewalld
    nft 'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }'
    nft add chain inet firewalld filter_FORWARD_ZONES
    nft add chain inet firewalld drops
    nft add rule inet firewalld drops drop
    nft add rule inet firewalld filter_FORWARD jump filter_FORWARD_ZONES
    nft add rule inet firewalld filter_FORWARD_ZONES iifname isth0 goto drops`),
  'firewalld ends': sh('nft delete table inet firewalld'),
};

/** Afterwards launchers cannot reach the running daemon. */
export const RUN_DIR = 'run directory deleted';

const POD = 1;
const PODS: Readonly<Record<string, Change>> = {
  'interface of a pod deleted': inPod('ip link del eth0'),
  'MAC of a pod changed': inPod('ip link set eth0 address 02:00:00:00:03:01'),
  'addresses of a pod deleted': inPod('ip addr flush dev eth0'),
  'namespace of a pod made anew': (twin) => {
    const { name } = twin.site.host.pod(POD);
    execFileSync('ip', ['netns', 'delete', name]);
    execFileSync('ip', ['netns', 'add', name]);
    learnNames(twin);
  },
  'namespaces of two pods change their names': ({ site: { host } }) => {
    const [a, b] = [host.pod(POD).path, host.pod(POD + 1).path];
    const script = `touch ${a}-x; mount --bind ${a} ${a}-x; umount ${a}; mount --bind ${b} ${a}
      umount ${b}; mount --bind ${a}-x ${b}; umount ${a}-x; rm ${a}-x`;
    execFileSync('sh', ['-ec', script]);
  },
};

function inPod(script: string): Change {
  return ({ site: { host } }) => void host.pod(POD).run('sh', '-c', `(${script}) 2>/dev/null; true`);
}

const FILES: Readonly<Record<string, Change>> = {
  'database replaced by an older copy': ({ site: { host } }) => {
    for (const name of databaseOf(host.stateDir)) rmSync(join(host.stateDir, name));
    for (const name of readdirSync(olderOf(host.stateDir)))
      copyFileSync(join(olderOf(host.stateDir), name), join(host.stateDir, name));
  },
  'database deleted': ({ site: { host } }) => {
    for (const name of databaseOf(host.stateDir)) rmSync(join(host.stateDir, name));
  },
  'database deleted, its log stays': inState((dir) => rmSync(join(dir, 'state.db'))),
  'database replaced by nothing': inState((dir) => replace(join(dir, 'state.db'))),
  'changes deleted': inState((dir) => rmSync(join(dir, 'changes'))),
  'changes replaced': inState((dir) => replace(join(dir, 'changes'))),
  'locks deleted': inState((dir) => rmSync(join(dir, 'locks'))),
  'locks replaced': inState((dir) => replace(join(dir, 'locks'))),
  'state directory deleted': inState((dir) => rmSync(dir, { recursive: true })),
  'state directory made again': inState((dir) => {
    rmSync(dir, { recursive: true });
    mkdirSync(dir, { mode: 0o700 });
  }),
  'state directory replaced by a copy': inState((dir) => {
    cpSync(dir, `${dir}.new`, { recursive: true, preserveTimestamps: true });
    rmSync(dir, { recursive: true });
    renameSync(`${dir}.new`, dir);
  }),
  [RUN_DIR]: ({ site: { runDir } }) => rmSync(runDir, { recursive: true, force: true }),
};

function inState(change: (dir: string) => void): Change {
  return ({ site: { host } }) => {
    try {
      change(host.stateDir);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  };
}

/** Another file has this name, with nothing in it. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, '', { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function databaseOf(stateDir: string): string[] {
  return readdirSync(stateDir).filter((name) => name.startsWith('state.db'));
}

function olderOf(stateDir: string): string {
  return join(dirname(stateDir), 'older');
}

/** Keeps the database for a later change. No call may be under way. */
export function keepDatabase({ site: { host } }: Twin): void {
  mkdirSync(olderOf(host.stateDir), { recursive: true });
  for (const name of databaseOf(host.stateDir))
    copyFileSync(join(host.stateDir, name), join(olderOf(host.stateDir), name));
}

/** By title. */
export const CHANGES: Readonly<Record<string, Change>> = { ...LINKS, ...SYSCTLS, ...FILTERS, ...PODS, ...FILES };
