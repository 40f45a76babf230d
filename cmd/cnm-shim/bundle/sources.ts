/** A program whose output goes into the bundle. */
export interface Command {
  /** In the bundle. */
  readonly file: string;
  readonly words: readonly [string, ...string[]];
}

const command = (file: string, words: string): Command => ({ file, words: words.split(' ') as [string, ...string[]] });

/** Each is run by itself, without a shell. */
export const COMMANDS: readonly Command[] = [
  command('versions/uname.txt', 'uname -a'),
  command('versions/ip.txt', 'ip -V'),
  command('versions/nft.txt', 'nft --version'),
  command('versions/iptables.txt', 'iptables --version'),
  command('versions/systemd.txt', 'systemctl --version'),
  command('versions/dockerd.txt', 'dockerd --version'),
  command('versions/containerd.txt', 'containerd --version'),
  command('versions/crio.txt', 'crio --version'),
  command('versions/podman.txt', 'podman --version'),
  command('versions/modules.txt', 'lsmod'),
  command('rules/nft.txt', 'nft -a list ruleset'),
  command('rules/iptables.txt', 'iptables-save -c'),
  command('rules/ip6tables.txt', 'ip6tables-save -c'),
  command('links/links.txt', 'ip -d -s link'),
  command('links/addresses.txt', 'ip addr'),
  command('links/neighbours.txt', 'ip neigh'),
  command('links/namespaces.txt', 'ip netns'),
  command('links/bridge-ports.txt', 'bridge -d link'),
  command('links/bridge-fdb.txt', 'bridge fdb'),
  command('links/bridge-vlans.txt', 'bridge vlan'),
  command('links/queues.txt', 'tc -s qdisc show'),
  command('links/sockets.txt', 'ss -lntu'),
  command('routes/routes4.txt', 'ip -4 route show table all'),
  command('routes/routes6.txt', 'ip -6 route show table all'),
  command('routes/rules4.txt', 'ip -4 rule'),
  command('routes/rules6.txt', 'ip -6 rule'),
  // Without their keys.
  command('routes/xfrm-states.txt', 'ip xfrm state list nokeys'),
  command('routes/xfrm-policies.txt', 'ip xfrm policy'),
  command('configuration/sysctl.txt', 'sysctl -a -r ^net[.](ipv4|ipv6|bridge|netfilter|core)[.]'),
  command('configuration/units.txt', 'systemctl cat isthmus.service isthmus.socket isthmus-docker.socket'),
  command('logs/isthmus.txt', 'journalctl -u isthmus.service -n 5000 --no-pager -o short-iso'),
  command('logs/kernel.txt', 'journalctl -k -n 1000 --no-pager -o short-iso'),
];

/** Files and directories of configurations, besides that of CNI and the cluster's. */
export const CONFIGURATIONS: readonly string[] = [
  '/etc/isthmus',
  '/etc/docker/daemon.json',
  '/etc/containers/containers.conf',
  '/etc/os-release',
];

/** Of a directory, only these: others may be keys. */
export const CONFIGURATION_NAME = /\.(?:conf|conflist|json|yaml|toml)$|^os-release$/;

/** Directories whose files are listed, with sizes and modes. */
export const LISTED: readonly string[] = ['/opt/cni/bin', '/usr/lib/isthmus', '/run/isthmus', '/run/docker/plugins'];
