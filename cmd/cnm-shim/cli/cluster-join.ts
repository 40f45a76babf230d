import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseClusterConfig } from '../../../src/shared/config/cluster.ts';
import { openLinuxHost } from '../../../src/shared/host/linux-host.ts';
import { given } from '../../../src/shared/model/given.ts';
import { assertReplaceable, writeClusterFile } from '../../../src/shared/ops/cluster.ts';
import { openClusterStore } from '../../../src/shared/store/cluster/open.ts';
import { assertUnderlay, storeOptions, underlayOf } from '../cluster-parts.ts';
import { absolutePath, CLUSTER_FILE } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Writes the file of the cluster, after checking it as the daemon does. The daemon joins when it is started again; the first
host creates the cluster. docs/overlay.md describes every key.

Examples:
  isthmus cluster join --name prod --underlay eth1 \\
    --etcd https://10.0.0.1:2379,https://10.0.0.2:2379 \\
    --ca /etc/isthmus/ca.pem --cert /etc/isthmus/host.pem \\
    --key /etc/isthmus/host.key
  isthmus cluster join --name lab --etcd http://192.0.2.1:2379     without TLS, by the address of the default route
  isthmus cluster join --name lab --zookeeper 192.0.2.1:2181       with ZooKeeper, for up to 1,000 endpoints on a network
  systemctl restart isthmus
`;

interface JoinOptions {
  readonly name: string;
  readonly etcd?: readonly string[];
  readonly zookeeper?: readonly string[];
  readonly underlay?: string;
  readonly hostName?: string;
  readonly family?: number;
  readonly port?: number;
  readonly vnis?: readonly number[];
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly file: string;
  readonly force?: true;
}

/** The option `--file`: cluster.json. */
export function fileOption(what: string): Option {
  return new Option('--file <file>', what).default(CLUSTER_FILE).env('ISTHMUS_CLUSTER').argParser(absolutePath);
}

/** Adds the verb `join` to `cluster`. */
export function addJoin(cluster: Command): void {
  cluster
    .command('join')
    .summary('write the file of a cluster')
    .requiredOption('--name <name>', 'name of the cluster, the same on all hosts')
    .option('--etcd <urls>', 'endpoints of etcd, separated by commas', listed)
    .option('--zookeeper <addrs>', 'members of ZooKeeper in its place: HOST:2181, separated by commas', listed)
    .option('--underlay <dev|addr>', 'interface or address by which the other hosts reach this one')
    .option('--host-name <name>', 'name of this host in the cluster')
    .option('--family <4|6>', 'family of the underlay', numeric)
    .option('--port <port>', 'UDP port of VXLAN', numeric)
    .option('--vnis <first-last>', 'VNIs that networks get', range)
    .option('--ca <file>', "CA of etcd's certificates", absolutePath)
    .option('--cert <file>', 'certificate for etcd', absolutePath)
    .option('--key <file>', 'its key', absolutePath)
    .option('--server-name <name>', "name in etcd's certificates")
    .option('--user <user>', 'user of etcd or ZooKeeper')
    .option('--password-file <file>', 'file with the password in its first line', absolutePath)
    .addOption(fileOption('file to write'))
    .option('--force', 'replace the file of another cluster')
    .addHelpText('after', EXAMPLES)
    .action(async ({ file, force, ...options }: JoinOptions) => {
      const json = fileContent(options);
      await check(json, file);
      if (force !== true) assertReplaceable(file, options.name);
      writeClusterFile(file, json);
      writeOut(`${file} written. Restart the daemon: systemctl restart isthmus\n`);
    });
}

function fileContent(options: Omit<JoinOptions, 'file' | 'force'>): object {
  const { name, etcd, zookeeper, ca, cert, key, serverName, user, passwordFile, ...rest } = options;
  const more = given({ ca, cert, key, serverName, user, passwordFile });
  return {
    name,
    ...(etcd !== undefined && { etcd: { endpoints: etcd, ...more } }),
    ...(zookeeper !== undefined && { zookeeper: { endpoints: zookeeper, ...more } }),
    ...given(rest),
  };
}

/** Throws NetError `invalid-config` as the daemon would. */
async function check(json: object, file: string): Promise<void> {
  const config = parseClusterConfig(json, file);
  using host = openLinuxHost(process.env);
  assertUnderlay(underlayOf(host, config), config, file);
  using _store = await openClusterStore(storeOptions(config));
}

const listed = (text: string): readonly string[] => text.split(',').map((one) => one.trim());

function numeric(text: string): number {
  if (/^\d{1,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is not a number.');
}

function range(text: string): readonly number[] {
  const [first, last] = text.split('-');
  return [numeric(first ?? ''), numeric(last ?? '')];
}
