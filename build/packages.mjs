const DEMO = ['iproute2', 'musl-tools', 'libatomic1', 'libstdc++6', 'libnftables1', 'binutils', 'busybox-static'];
const DOCKER_PLUGIN = [...DEMO, 'iptables'];
const MANAGERS = ['ufw', 'firewalld', 'fail2ban'];
const TEST = [
  ...DOCKER_PLUGIN,
  ...['nftables', 'procps', 'kmod', 'strace', 'tcpdump', 'conntrack'],
  ...['containernetworking-plugins', 'podman', 'containerd', 'runc', 'docker.io', 'docker-compose'],
  ...['dnsmasq-base', 'systemd', 'dbus', 'debootstrap'],
  ...MANAGERS,
];

/** The distribution packages that each target needs. Without a target: those for building. */
export const PACKAGES = {
  build: DEMO,
  demo: DEMO,
  test: TEST,
  'docker-plugin': DOCKER_PLUGIN,
  compilers: DEMO,
  modules: [],
};

/**
 * The packages of a later Debian's root, in which no firewall manager runs. docker.io has no client there; podman only
 * recommends what it runs.
 */
export const RUNTIME_PACKAGES = [
  ...TEST.filter((name) => name !== 'debootstrap' && !MANAGERS.includes(name)),
  ...['docker-cli', 'crun', 'netavark', 'aardvark-dns'],
];
