import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import { field, isObject, type Json, parseJson, textField } from '../model/json.ts';
import { readBounded, readBoundedBytes } from './dns.ts';
import { LIMITS } from './limits.ts';
import { assertShape } from './shape.ts';
import { cluster } from './validators.generated.js';

/** The file cluster.json: this host is a member of a cluster. */
export type ClusterConfig = ClusterSettings & ClusterStoreConfig;

/** Where the cluster's state is. */
export type ClusterStoreConfig =
  | { readonly etcd: EtcdConfig; readonly zookeeper?: never }
  | { readonly zookeeper: ZooKeeperConfig; readonly etcd?: never };

export interface ClusterSettings {
  /** Of the cluster; its keys are below `/isthmus/<name>/v1/`. */
  readonly name: string;
  /** Of this host, for people. Default: the host name. */
  readonly hostName?: string;
  /** An address of this host or one of its interfaces. Default: that of the default route. */
  readonly underlay?: string;
  readonly family: Family;
  /** UDP port of VXLAN. */
  readonly port: number;
  readonly firstVni: number;
  readonly lastVni: number;
  /** Seconds after which the entries of a host that alone is silent are withdrawn. */
  readonly graceSeconds: number;
}

/** Paths are those of files in PEM, and of one with a password in its first line. */
export interface EtcdConfig {
  readonly endpoints: readonly string[];
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly user?: string;
  readonly passwordFile?: string;
}

/** `passwordFile`: path of a file with the password in its first line. */
export type ZooKeeperConfig = Pick<EtcdConfig, 'endpoints' | 'user' | 'passwordFile'>;

/** IANA's port of VXLAN (RFC 7348). */
const PORT = 4789;
/** As libnetwork's: smaller ones are those of hardware. */
const VNIS = [4096, 0xffffff] as const;
const GRACE_S = 900;

/** Reads the file. Throws NetError `invalid-config` naming file, key, value and rule. */
export function readClusterConfig(path: string): ClusterConfig {
  return parseClusterConfig(jsonOf(path, textOf(path)), path);
}

/** The content of a file that the configuration names by `key`, such as `.etcd.ca`. Throws NetError `invalid-config`. */
export function readNamed(path: string, key: string): Buffer {
  try {
    return readBoundedBytes(path, LIMITS.clusterFile);
  } catch (error) {
    throw unreadable(`${key}=${path}`, error);
  }
}

export function parseClusterConfig(json: unknown, path: string): ClusterConfig {
  const config: Json = isObject(json) ? json : {};
  assertNoTls(config, path);
  assertNamed(config, path);
  const store = storeOf(config, path);
  const [firstVni = VNIS[0], lastVni = VNIS[1]] = (field(config, 'vnis') ?? []) as unknown as readonly number[];
  if (firstVni > lastVni)
    throw fault.invalidConfig('cluster', path, `.vnis=[${firstVni},${lastVni}] is no range`, 'Write the smaller first');
  const number = (key: string, fallback: number): number => {
    const value = field(config, key);
    return typeof value === 'number' ? value : fallback;
  };
  const [underlay, hostName] = ['underlay', 'hostName'].map((key) => textField(config, key));
  return {
    name: textField(config, 'name') ?? '',
    ...store,
    ...(hostName !== undefined && { hostName }),
    ...(underlay !== undefined && { underlay }),
    family: field(config, 'family') === 6 ? 6 : 4,
    port: number('port', PORT),
    ...{ firstVni, lastVni },
    graceSeconds: number('graceSeconds', GRACE_S),
  };
}

/** etcd, or ZooKeeper. */
function storeOf(config: Json, path: string): ClusterStoreConfig {
  const etcd = field(config, 'etcd') as unknown as EtcdConfig | undefined;
  const zookeeper = field(config, 'zookeeper') as unknown as ZooKeeperConfig | undefined;
  if (etcd !== undefined && zookeeper !== undefined)
    throw fault.invalidConfig('cluster', path, '.etcd and .zookeeper exclude each other', 'Keep the one of all hosts');
  if (etcd !== undefined) {
    assertBoth(path, 'etcd', ['cert', etcd.cert], ['key', etcd.key]);
    assertBoth(path, 'etcd', ['user', etcd.user], ['passwordFile', etcd.passwordFile]);
    return { etcd };
  }
  if (zookeeper === undefined)
    throw fault.invalidConfig('cluster', `${path} .etcd`, 'it is missing', 'Add it, or zookeeper');
  assertBoth(path, 'zookeeper', ['user', zookeeper.user], ['passwordFile', zookeeper.passwordFile]);
  return { zookeeper };
}

type Named = readonly [key: string, value: string | undefined];

function assertBoth(path: string, store: string, [one, first]: Named, [other, second]: Named): void {
  if ((first === undefined) === (second === undefined)) return;
  const what = `.${store}.${one} and .${store}.${other} go together`;
  throw fault.invalidConfig('cluster', path, what, 'Give both or neither');
}

/** The keys of etcd that ZooKeeper's client lacks. */
function assertNoTls(config: Json, path: string): void {
  const zookeeper = field(config, 'zookeeper');
  if (!isObject(zookeeper)) return;
  for (const key of ['ca', 'cert', 'key', 'serverName']) {
    if (field(zookeeper, key) === undefined) continue;
    const hint = 'Run a tunnel on each host, with unix:///PATH of its socket as the endpoint, or use etcd';
    throw fault.invalidConfig('cluster', `${path} .zookeeper.${key}`, 'TLS is not possible with ZooKeeper', hint);
  }
}

/** As `assertShape`; the error names the file too. */
function assertNamed(config: Json, path: string): void {
  try {
    assertShape(cluster, config, '', true);
  } catch (thrown) {
    const { subject, what, hint } = asNetError(thrown, 'cluster');
    throw fault.invalidConfig('cluster', `${path} ${subject}`, what, hint);
  }
}

function textOf(path: string): string {
  try {
    return readBounded(path, LIMITS.clusterFile);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function jsonOf(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw fault.invalidConfig('cluster', path, 'it is not JSON', 'docs/overlay.md has an example', { reason });
  }
}

function unreadable(subject: string, error: unknown): NetError {
  const reason = error instanceof Error ? error.message : String(error);
  return fault.invalidConfig('cluster', subject, 'it cannot be read', 'Name a file that root can read', { reason });
}
