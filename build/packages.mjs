const DEMO = ['iproute2', 'musl-tools', 'libatomic1', 'libstdc++6', 'libnftables1', 'binutils', 'busybox-static'];
const DOCKER_PLUGIN = [...DEMO, 'iptables'];
/** What builds packages, and checks them. */
const PACKAGING = ['debhelper', 'dpkg-dev', 'lintian', 'umoci', 'skopeo'];
const PACKAGERS = [...DOCKER_PLUGIN, ...PACKAGING];
/** Its server without its service, and what runs it. */
const ZOOKEEPER = ['libzookeeper-java', 'default-jre-headless'];
/** The browser that opens the page of `topology --web`, and a font for it. */
const BROWSER = ['chromium', 'fonts-dejavu-core'];
const MANAGERS = ['ufw', 'firewalld', 'fail2ban', 'shorewall', 'shorewall6'];
/** What a plugin on Docker's SDK is built with, and from. The SDK itself is of a later Debian: sdk-plugin/build.sh. */
const GO = ['golang-go', 'golang-github-docker-go-connections-dev', 'golang-github-coreos-go-systemd-dev'];
const TEST = [
  ...PACKAGERS,
  ...['nftables', 'procps', 'kmod', 'strace', 'tcpdump', 'conntrack'],
  ...['containernetworking-plugins', 'podman', 'containerd', 'runc', 'docker.io', 'docker-compose'],
  ...['man-db', 'mandoc', 'zsh', 'fish', 'prometheus'],
  ...['dnsmasq-base', 'systemd', 'dbus', 'debootstrap', 'etcd-server', 'etcd-client', 'openssl'],
  ...ZOOKEEPER,
  ...MANAGERS,
  ...BROWSER,
  ...GO,
];

/** The distribution packages that each target needs. Without a target: those for building. */
export const PACKAGES = {
  build: DEMO,
  demo: DEMO,
  test: TEST,
  'docker-plugin': DOCKER_PLUGIN,
  packages: PACKAGERS,
  compilers: DEMO,
  modules: [],
};

/** Packages whose programs later releases of Debian have in another one: the program, and that package. */
export const MOVED = {
  'docker.io': { program: '/usr/bin/docker', package: 'docker-cli' },
};

/** What no later Debian's root has. */
const HERE_ONLY = ['debootstrap', 'prometheus', ...PACKAGING, ...MANAGERS, ...ZOOKEEPER, ...BROWSER, ...GO];

/**
 * The packages of a later Debian's root, in which no firewall manager, no Java and no Go runs. docker.io has no client there;
 * podman only recommends what it runs.
 */
export const RUNTIME_PACKAGES = [
  ...TEST.filter((name) => !HERE_ONLY.includes(name)),
  ...['docker-cli', 'crun', 'netavark', 'aardvark-dns'],
];

/** What a clean Debian has before our package is installed: its own dependencies, systemd, and runtimes to serve. */
export const CLEAN_PACKAGES = [
  ...[
    'systemd',
    'systemd-sysv',
    'iproute2',
    'busybox-static',
    'iptables',
    'nftables',
    'runc',
    'containerd',
    'docker.io',
  ],
  ...['libatomic1', 'libstdc++6', 'libnftables1'],
];
