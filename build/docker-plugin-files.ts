import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { hasLibnftables } from '../src/shared/netlink/libnftables.ts';
import { debianLicences } from './debian-licences.ts';

const PACKAGING = join(import.meta.dirname, 'packaging/docker-plugin');

/** Where config.json expects the program. */
const PROGRAM = '/usr/lib/isthmus/cnm-shim';
/** The build writes it beside the program. */
const LICENCES = 'LICENSES.txt';

/** Says where the source of the copied libraries and tools is. */
const SOURCES = 'usr/share/doc/SOURCES';

/** As in every current distribution: one directory of libraries, whichever path names it. */
const MERGED = ['bin', 'lib', 'lib64', 'sbin'] as const;

/** Mount points for config.json, the kernel and Docker. */
const MOUNT_POINTS = [
  'dev',
  'host/etc',
  'host/proc/sys/net',
  'host/run',
  'proc',
  'run/docker/plugins',
  'sys',
  'var/lib',
];

/** The host's own files, at the paths where the program looks for them. */
const OF_THE_HOST = ['/etc/cni', '/etc/machine-id', '/run/docker.sock', '/run/systemd'];

/** For hosts that use iptables: one program of each kind, under many names. */
const TOOLS = { nft: '/usr/sbin/xtables-nft-multi', legacy: '/usr/sbin/xtables-legacy-multi' } as const;

/**
 * Fills `directory` with what `docker plugin create` takes: config.json, and a root file system with the program and
 * the libraries and packet filter tools it uses, all copied from this machine, with their licences, and nothing else.
 * Throws if one of them is missing.
 */
export function makeDockerPlugin(directory: string, program: string): void {
  const target = resolve(directory);
  mkdirSync(dirname(target), { recursive: true });
  const made = mkdtempSync(join(dirname(target), '.docker-plugin-'));
  try {
    copyFileSync(join(PACKAGING, 'config.json'), join(made, 'config.json'));
    makeRootfs(join(made, 'rootfs'), program);
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/**
 * Fills `rootfs` with the program, the libraries and packet filter tools that it uses, and their licences. Throws if one
 * of them is missing.
 */
export function makeRootfs(rootfs: string, program: string): void {
  const copy = (from: string, to = from): void => {
    if (!existsSync(from)) throw new Error(`${from} is missing: run "node build/setup.mjs docker-plugin"`);
    mkdirSync(join(rootfs, dirname(to)), { recursive: true });
    copyFileSync(from, join(rootfs, to));
  };
  const link = (path: string, to: string): void => {
    mkdirSync(join(rootfs, dirname(path)), { recursive: true });
    symlinkSync(to, join(rootfs, path));
  };
  for (const name of MERGED) {
    mkdirSync(join(rootfs, 'usr', name), { recursive: true });
    link(name, `usr/${name}`);
  }
  for (const path of MOUNT_POINTS) mkdirSync(join(rootfs, path), { recursive: true });
  for (const path of OF_THE_HOST) link(path, `/host${path}`);
  copy(program, PROGRAM);
  copy(join(dirname(program), LICENCES), join(dirname(PROGRAM), LICENCES));
  copy(join(PACKAGING, 'protocols'), '/etc/protocols');
  const nftables = pathOfLibnftables();
  copy(nftables);
  for (const file of Object.values(TOOLS)) copy(file);
  for (const [name, file] of toolNames()) link(join(dirname(file), name), basename(file));
  const libraries = new Set([program, nftables, ...Object.values(TOOLS)].flatMap(librariesOf));
  const extensions = extensionsOf([...libraries]);
  for (const file of [...libraries, ...extensions]) copy(file);
  const licences = debianLicences([nftables, ...Object.values(TOOLS), ...libraries, ...extensions]);
  for (const file of licences.files) copy(file);
  writeFileSync(join(rootfs, SOURCES), licences.sources);
}

/** Everything the dynamic linker loads for a file, including the linker itself. */
function librariesOf(file: string): string[] {
  const output = execFileSync('ldd', [file], { encoding: 'utf8' });
  if (output.includes('not found')) throw new Error(`libraries of ${file} are missing:\n${output}`);
  return [...output.matchAll(/(?:=>|^)\s*(\/\S+) \(/gm)].map(([, path = '']) => path);
}

/** The path of libnftables: the name that programs load, in the directory of the loaded file. */
function pathOfLibnftables(): string {
  if (!hasLibnftables()) throw new Error('libnftables.so.1 is missing: run "node build/setup.mjs docker-plugin"');
  const file = /(\/\S+)\/libnftables\.so\S*$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
  return join(file?.[1] ?? '', 'libnftables.so.1');
}

/** The program behind each iptables name; unsuffixed names follow this machine. */
function toolNames(): [name: string, file: string][] {
  const plain = Object.values(TOOLS).find((file) => realpathSync('/usr/sbin/iptables') === realpathSync(file));
  const kinds = Object.entries(TOOLS).map(([kind, file]) => [`-${kind}`, file] as const);
  return [['', plain ?? TOOLS.nft] as const, ...kinds].flatMap(([kind, file]) =>
    ['iptables', 'ip6tables'].flatMap((tool) =>
      ['', '-save', '-restore'].map((verb): [string, string] => [`${tool}${kind}${verb}`, file]),
    ),
  );
}

/** iptables' matches and targets, which it loads from a directory beside its library. */
function extensionsOf(libraries: readonly string[]): string[] {
  const library = libraries.find((file) => basename(file).startsWith('libxtables.')) ?? '';
  const directory = join(realpathSync(dirname(library)), 'xtables');
  return readdirSync(directory).map((name) => join(directory, name));
}
