const DEMO = ['iproute2', 'musl-tools', 'libatomic1', 'libstdc++6', 'libnftables1', 'binutils', 'busybox-static'];
const DOCKER_PLUGIN = [...DEMO, 'iptables'];
const TEST = [
  ...DOCKER_PLUGIN,
  ...['nftables', 'procps', 'kmod', 'strace', 'tcpdump', 'conntrack'],
  ...['containernetworking-plugins', 'podman', 'containerd', 'runc', 'docker.io', 'docker-compose'],
  ...['dnsmasq-base', 'systemd', 'debootstrap'],
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

/** The packages of a later Debian's root. docker.io has no client there; podman only recommends what it runs. */
export const RUNTIME_PACKAGES = [
  ...TEST.filter((name) => name !== 'debootstrap'),
  ...['docker-cli', 'crun', 'netavark', 'aardvark-dns'],
];
