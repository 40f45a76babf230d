import { posix } from 'node:path';
import { type Import, importsOf } from './imports.ts';

/** Folders of src/shared from the bottom up; a folder may import from its own row and from those below. */
const ROWS: readonly (readonly string[])[] = [
  ['model', 'errors', 'log'],
  ['netlink'],
  ['host'],
  ['firewall', 'ipam', 'dhcp', 'store', 'config', 'remote'],
  ['cluster'],
  ['drivers'],
  ['core', 'ops', 'ui'],
  ['runtime'],
  ['testing'],
];

/** Modules that one place only may import. */
const OWNERS: Readonly<Record<string, string>> = {
  'node:ffi': 'src/shared/netlink/sys.ts',
  'node:sqlite': 'src/shared/store/',
  'ip-cidr': 'src/shared/model/prefix.ts',
  'node:http2': 'src/shared/store/etcd/',
  '@bufbuild/protobuf/wire': 'src/shared/store/etcd/',
  'node-zookeeper-client': 'src/shared/store/zookeeper/',
};

/** Modules that only a process with a cluster loads. */
const CLIENTS: readonly string[] = ['src/shared/store/etcd/', 'src/shared/store/zookeeper/'];
/** Packages that most processes do not need. */
const ON_DEMAND: readonly string[] = ['execa', 'ip-cidr', 'nanotar', 'node-zookeeper-client', 'prom-client'];

/** Plans on a host and a state in memory. */
const DRY_RUNS = 'src/shared/runtime/explain/';

/** The places that read JSON of others: configurations, dockerd's messages and answers, rows and records, answers of a daemon or a plugin. */
const READERS: readonly string[] = [
  'cmd/cnm-shim/topology/page/app.ts',
  ...['src/shared/config/', 'src/shared/store/', 'src/shared/cluster/values.ts', 'src/shared/testing/'],
  ...['cmd/cnm-shim/docker/wire/', 'cmd/cnm-shim/docker/engine/', 'cmd/cnm-shim/cli/network-options.ts'],
  ...['cmd/cnm-shim/cluster-wire.ts', 'cmd/cnm-shim/control/', 'cmd/cnm-shim/bundle/'],
  ...['src/shared/remote/answer.ts', 'src/shared/remote/client.ts', 'src/shared/remote/spec-file.ts'],
  'cmd/cnm-shim/install/record.ts',
];
/** Adds the revision to the version in package.json. */
const VERSIONED = 'src/shared/runtime/program-version.ts';
/** What reads the values of parsed JSON. */
const READING = 'src/shared/model/json.ts';

/** What each of `files` (path from the top of the tree → source) imports against the layers, as readable lines. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [file, source] of files) {
    for (const imported of importsOf(source)) {
      const why = imported.specifier.startsWith('.') ? againstLayers(file, imported) : againstOwners(file, imported);
      if (why !== undefined) found.push(`${file} imports ${imported.specifier}: ${why}`);
    }
    if (isBelowEdge(file) && /\bJSON\.parse\(/.test(source)) found.push(`${file} parses JSON: ${BELOW_EDGE}`);
  }
  return found;
}

function againstLayers(file: string, { specifier, kind }: Import): string | undefined {
  const target = posix.join(posix.dirname(file), specifier);
  const from = layerOf(file);
  const to = layerOf(target);
  const client = CLIENTS.find((folder) => target.startsWith(folder));
  if (client !== undefined && !file.startsWith(client) && kind === 'static')
    return 'the client of a cluster is loaded when it is needed: await import()';
  if (to === 'remote' && from !== 'remote' && kind === 'static' && from !== undefined)
    return "the client of Docker's plugins is loaded when it is needed: await import()";
  if (target === 'package.json' && from !== undefined)
    return file === VERSIONED ? undefined : `the version of a program is in ${VERSIONED}`;
  if (to === undefined) return 'it is not part of any layer';
  if (target === READING && isBelowEdge(file)) return BELOW_EDGE;
  if (from === to) return undefined;
  if (to.startsWith('cmd/')) return `nothing else imports from ${to}`;
  if (to === 'testing' && !file.startsWith(DRY_RUNS)) return 'testing is for tests alone, and for dry runs';
  if (from === undefined || from.startsWith('cmd/')) return undefined;
  if (from === 'model') return 'the model imports nothing';
  if (rowOf(to) > rowOf(from) && to !== 'testing') return `${to} is above ${from}`;
  if (from === 'config' && to === 'host') return 'a configuration is read without a host';
  if (from === 'drivers' && to === 'netlink') return 'drivers only plan';
  if (from === 'drivers' && to === 'host' && !(kind === 'types' && target === 'src/shared/host/host.ts'))
    return 'drivers only plan: of the host they know the types of host/host.ts';
  return undefined;
}

const BELOW_EDGE = 'only the edge reads JSON; everything behind it takes typed values';

function isBelowEdge(file: string): boolean {
  return /^(src|cmd)\//.test(file) && file !== READING && !READERS.some((place) => file.startsWith(place));
}

function againstOwners(file: string, { specifier, kind }: Import): string | undefined {
  const owner = OWNERS[specifier];
  if (owner !== undefined && !file.startsWith(owner)) return `only ${owner} does`;
  if (ON_DEMAND.includes(specifier) && kind === 'static')
    return `${specifier} is loaded when it is needed: await import()`;
  const layer = layerOf(file);
  if (layer === 'drivers' && specifier.startsWith('node:')) return 'drivers only plan';
  if (layer === 'model' && !/^(ip-cidr$|@noble\/hashes\/)/.test(specifier)) return 'the model imports nothing';
  return undefined;
}

/** The import cycles among `files`, types included, each as `a.ts > b.ts > a.ts`. */
export function circles(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const ended = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' > '));
    if (at >= 0 || ended.has(file)) return;
    for (const { specifier } of importsOf(files.get(file) ?? ''))
      if (specifier.startsWith('.')) visit(posix.join(posix.dirname(file), specifier), [...path, file]);
    ended.add(file);
  };
  for (const file of files.keys()) visit(file, []);
  return found;
}

/** `model`, …, `testing` or `cmd/<program>`; undefined outside all of them. */
function layerOf(path: string): string | undefined {
  const [, top, name = ''] = /^(src\/shared|cmd)\/([^/]+)\//.exec(path) ?? [];
  if (top === 'cmd') return `cmd/${name}`;
  return rowOf(name) >= 0 ? name : undefined;
}

function rowOf(layer: string): number {
  return ROWS.findIndex((row) => row.includes(layer));
}
