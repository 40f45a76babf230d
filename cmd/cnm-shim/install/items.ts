import { posix } from 'node:path';

/** What an item is for. */
export type Part = 'program' | 'command' | 'plugin' | 'unit' | 'network';

interface Common {
  readonly part: Part;
  /** On the installed system, so without the root directory that comes before it. */
  readonly path: string;
  /** Leaves whatever is at the path as it is. */
  readonly ifAbsent?: true;
}

/** A file of an installation. */
export interface FileItem extends Common {
  readonly kind: 'file';
  readonly mode: number;
  /** A path to copy from, or the content. */
  readonly content: string | Uint8Array;
}

/** A symbolic link of an installation. */
export interface LinkItem extends Common {
  readonly kind: 'link';
  readonly to: string;
}

export type Item = FileItem | LinkItem;

/** What an executable carries of an installation. */
export interface Payload {
  /** Path of the executable itself. */
  readonly executable: string;
  readonly version: string;
  readonly launcher: Uint8Array;
  readonly licences: Uint8Array;
  /** Unit files by name. */
  readonly units: Readonly<Record<string, Uint8Array>>;
  /** The first network's configuration. */
  readonly network: Uint8Array;
}

/** Where everything of Isthmus' own goes. */
export const LIBRARY = '/usr/lib/isthmus';
export const COMMAND = '/usr/bin/isthmus';
/** The launcher, whatever directory runtimes look in. */
export const LAUNCHER = '/opt/cni/bin/isthmus';
export const NETWORKS = '/etc/cni/net.d';
export const FIRST_NETWORK = `${NETWORKS}/10-web.conflist`;
export const UNITS = '/etc/systemd/system';
/** Present where a package of the distribution holds the programs and the units. */
export const PACKAGED = `${LIBRARY}/packaged`;

/** Names of the reference plugins that the executable answers to. */
export const NAMES = [
  ...['bridge', 'macvlan', 'ipvlan', 'vlan', 'ptp', 'dummy', 'tap', 'host-device', 'loopback'],
  ...['host-local', 'static', 'dhcp', 'portmap', 'firewall', 'bandwidth', 'tuning', 'sbr', 'vrf'],
] as const;

/** The targets that start the units at boot: what `systemctl enable` links. */
const WANTED_BY: Readonly<Record<string, string>> = {
  'isthmus.service': 'multi-user.target',
  'isthmus.socket': 'sockets.target',
  'isthmus-docker.socket': 'sockets.target',
};

export const UNIT_NAMES: readonly string[] = Object.keys(WANTED_BY);

/** The installation that is asked for. */
export interface Wanted {
  /** Reference plugins to replace. */
  readonly names: readonly string[];
  readonly daemon: boolean;
  /** Directories besides that of the launcher in which a runtime of this system looks for plugins. */
  readonly pluginDirs: readonly string[];
  /** True if the system has no CNI configuration but what an installation put there. */
  readonly network: boolean;
  /** True if a package holds everything but reference names and the network. */
  readonly packaged: boolean;
}

/** Returns everything that the installation consists of, in the order in which it is put in place. */
export function itemsOf(payload: Payload, { names, daemon, pluginDirs, network, packaged }: Wanted): Item[] {
  return [
    ...(packaged ? [] : programs(payload)),
    ...(packaged || !daemon ? [] : units(payload)),
    ...(packaged
      ? []
      : pluginDirs.map((dir): Item => ({ part: 'plugin', kind: 'link', path: `${dir}/isthmus`, to: LAUNCHER }))),
    ...[posix.dirname(LAUNCHER), ...pluginDirs].flatMap((dir) => plugins(dir, names)),
    ...(network ? [file('network', FIRST_NETWORK, payload.network)] : []),
  ];
}

/** A new launcher and an old executable may meet, and the other way round: the executable comes first. */
function programs({ executable, launcher, licences }: Payload): Item[] {
  return [
    file('program', `${LIBRARY}/cni-plugin`, executable, 0o755),
    { part: 'program', kind: 'link', path: `${LIBRARY}/cnm-shim`, to: 'cni-plugin' },
    file('program', `${LIBRARY}/LICENSES.txt`, licences),
    { part: 'command', kind: 'link', path: COMMAND, to: `${LIBRARY}/cnm-shim` },
    file('program', LAUNCHER, launcher, 0o755),
  ];
}

function units({ units }: Payload): Item[] {
  return Object.entries(units).flatMap(([name, content]): Item[] => {
    const path = `${UNITS}/${name}`;
    const target = WANTED_BY[name] ?? '';
    return [
      file('unit', path, content),
      { part: 'unit', kind: 'link', path: `${UNITS}/${target}.wants/${name}`, to: path },
    ];
  });
}

/** containerd's CRI calls `loopback` for every pod, and a new system has none. */
function plugins(dir: string, names: readonly string[]): Item[] {
  const link = (name: string): Item => ({ part: 'plugin', kind: 'link', path: posix.join(dir, name), to: 'isthmus' });
  const loopback: Item[] = names.includes('loopback') ? [] : [{ ...link('loopback'), ifAbsent: true }];
  return [...names.map(link), ...loopback];
}

function file(part: Part, path: string, content: string | Uint8Array, mode = 0o644): FileItem {
  return { part, kind: 'file', path, mode, content };
}
