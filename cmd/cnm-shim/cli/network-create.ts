import { type Command, Option } from 'commander';
import { documentOf, parseNetworkName } from '../../../src/shared/config/document.ts';
import { invalid } from '../../../src/shared/config/invalid.ts';
import type { RangeConfig } from '../../../src/shared/config/ipam-ranges.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import { formatRangeConfig, type NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { createNetwork } from '../../../src/shared/core/networks/create-network.ts';
import { isUsed } from '../../../src/shared/core/networks/record.ts';
import { defaultCandidates } from '../../../src/shared/core/pools/candidates.ts';
import { type PoolCandidate, releasePool, requestPool } from '../../../src/shared/core/pools/pools.ts';
import { subnetOf } from '../../../src/shared/core/pools/rows.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Family } from '../../../src/shared/model/addr.ts';
import { OPERATOR, sameHolder } from '../../../src/shared/model/owned.ts';
import { PREDEFINED } from '../../../src/shared/ops/networks.ts';
import { configuredNetworks, specOfElement } from '../../../src/shared/runtime/configured-network.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { dockerNames, shortId } from './names.ts';
import { NETWORK_KEYS, parseAddressPools, readOptions } from './network-options.ts';
import { type RemoteSpecOptions, remoteSpec } from './network-remote.ts';
import { readSubnets } from './network-subnets.ts';
import { addStateDir, collected, openOrCreateState, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

export const DRIVERS = ['bridge', 'null', 'remote'];

const EXAMPLES = `
The network exists until isthmus network rm. Pods join it through a CNI configuration with its name, Docker containers
through docker network create -d isthmus --ipam-driver isthmus --ipam-opt network=web -o network=web NAME.
For a network that a CNI configuration file describes, or that pods or Docker created, give only its name: create keeps
it unchanged, and it also exists when its users have left.

--opt takes these keys of a CNI configuration (isthmus.conflist(5)): ${NETWORK_KEYS.join(', ')}.

Examples:
  isthmus network create web                       a free subnet, masqueraded
  isthmus network create web --ipv6                one of each family
  isthmus network create web --subnet 10.88.0.0/16 --subnet fd00:88::/64
  isthmus network create db --internal             nothing in or out
  isthmus network create web --if-not-exists       for scripts that run again
  isthmus network create wv --driver remote --plugin weave --ipam weave
                                                   of a Docker plugin
  isthmus network create lab --opt bridge=lab0 --opt mtu=1400 --opt icc=false
                                                   keys of a CNI configuration
`;

interface CreateOptions extends StateOptions, RemoteSpecOptions {
  readonly driver?: string;
  readonly ifNotExists?: boolean;
  readonly addressPool?: readonly PoolCandidate[];
}

/** Adds the verb `create` to `network`. */
export function addCreate(network: Command): void {
  const create = network.command('create').argument('<name>').summary('create a network that exists without users');
  addStateDir(create)
    .option('-d, --driver <driver>', 'bridge, null or remote (default: "bridge")')
    .option('--plugin <name>', 'network plugin of Docker, for driver remote')
    .option('--ipam <name>', 'IPAM plugin of Docker, for driver remote')
    .option('--subnet <cidr>', 'at most one of each family; without any, a free one is chosen', collected)
    .option('--gateway <address>', "a subnet's gateway; default: its first address", collected)
    .option('--ip-range <cidr>', 'part of a subnet to take addresses from', collected)
    .option('--ipv6', 'an IPv6 subnet too; default: a free one')
    .option('--internal', 'nothing is forwarded in or out')
    .option('--opt <key=value>', 'a key of a CNI configuration; see below', collected)
    .option('--if-not-exists', 'succeed where isthmus has created one of this name, and leave it as it is')
    .addOption(
      new Option('--address-pool <pool>', 'pool of free subnets, as for isthmus serve')
        .env('ISTHMUS_ADDRESS_POOLS')
        .argParser(parseAddressPools),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: CreateOptions) => {
      await using core = openOrCreateState(options);
      if (options.ifNotExists !== true || !isOperators(core, name)) {
        await assertNew(core, name);
        await make(core, name, options);
      }
      writeOut(`${name}\n`);
    });
}

/** True for a network that this verb has created. */
function isOperators({ store }: CallCore, name: string): boolean {
  return store.networks.get(name)?.holders?.some((holder) => sameHolder(holder, OPERATOR)) === true;
}

/** Throws NetError if the name is invalid or taken. */
async function assertNew(core: CallCore, name: string): Promise<void> {
  const { store } = core;
  parseNetworkName(name);
  const predefined = PREDEFINED.some((known) => known.name === name);
  if (predefined || isOperators(core, name)) {
    const what = predefined ? 'a network of this name is predefined' : 'there is a network of this name';
    const hint = predefined ? 'Choose another name' : 'Choose another name, or add --if-not-exists';
    throw fault.exists('network', name, what, hint);
  }
  const { networks } = await dockerNames(core);
  const docker = store.dockerNetworks.list().find(({ id, network }) => networks.get(id) === name && network !== name);
  if (docker === undefined) return;
  const what = `Docker has a network of this name, ${shortId(docker.id)}, and this would be another one`;
  throw fault.exists('network', name, what, 'Choose another name');
}

async function make(core: CallCore, name: string, options: CreateOptions): Promise<void> {
  const { driver = 'bridge', ...others } = options;
  if (!DRIVERS.includes(driver)) throw unknownDriver(driver);
  const known = knownSpec(core, name);
  if (known !== undefined) {
    assertNothing(options, `network ${name} is described by a CNI configuration file or by those who use it`);
    return await createNetwork(core, { name, holder: OPERATOR, spec: known });
  }
  if (driver === 'null') {
    assertNothing(others, 'it means nothing to driver null');
    const spec = { options: { driver: 'null' as const }, ranges: [], routes: [] };
    return await createNetwork(core, { name, holder: OPERATOR, spec });
  }
  if (driver === 'remote')
    return await createNetwork(core, { name, holder: OPERATOR, spec: remoteSpec(name, options) });
  assertNoPlugin(options, 'only networks of driver remote are of a plugin');
  const subnets = readSubnets(options);
  // Validates everything else before asking anyone.
  specFor(name, options, subnets);
  const wanted: Family[] = subnets.length === 0 ? [4] : [];
  if (options.ipv6 === true && !subnets.some(({ subnet }) => subnet.addr.family === 6)) wanted.push(6);
  await withFreeSubnets(core, { wanted, options }, (free) =>
    createNetwork(core, { name, holder: OPERATOR, spec: specFor(name, options, [...subnets, ...free]) }),
  );
}

/** The spec that the users of this network created it with, else that of a CNI configuration file. */
function knownSpec(core: CallCore, name: string): NetworkSpec | undefined {
  const row = core.store.networks.get(name);
  if (row?.spec !== undefined && isUsed(core, row)) return row.spec;
  return configuredNetworks(process.env)(name);
}

interface Wanted {
  readonly wanted: readonly Family[];
  readonly options: CreateOptions;
}

/** Runs `work` with a free subnet of each family, reserved while it runs. */
async function withFreeSubnets(
  core: CallCore,
  { wanted, options }: Wanted,
  work: (subnets: readonly RangeConfig[]) => Promise<void>,
): Promise<void> {
  const candidates = options.addressPool ?? defaultCandidates(core.host.identity.hostId);
  const ids: string[] = [];
  try {
    const subnets = wanted.map((family) => {
      const context = { candidates, avoid: [], now: Date.now() };
      const row = requestPool(core, { v6: family === 6 }, context);
      ids.push(row.id);
      return { subnet: subnetOf(row) };
    });
    await work(subnets);
  } finally {
    for (const id of ids) releasePool(core, id);
  }
}

/** The spec that the equivalent CNI configuration gives. */
function specFor(name: string, { internal, opt }: CreateOptions, subnets: readonly RangeConfig[]): NetworkSpec {
  const given = readOptions(opt ?? []);
  const document = documentOf({
    ...{ cniVersion: '1.1.0', name, type: 'isthmus', driver: 'bridge', isGateway: true },
    ...(internal === true ? { internal } : { ipMasq: true }),
    // A container reaches its own published ports through the host's address.
    ...(given.promiscMode === true ? {} : { hairpinMode: true }),
    ...given,
    ipam: { ranges: (subnets.length === 0 ? EXAMPLE : subnets).map((range) => [formatRangeConfig(range)]) },
  });
  const spec = specOfElement(document);
  if (spec === undefined) throw new Error('a configuration of driver bridge makes a network');
  return spec;
}

function assertNoPlugin({ plugin, ipam }: CreateOptions, what: string): void {
  if (plugin !== undefined) throw invalid('--plugin', plugin, what, 'Leave it out, or add --driver remote');
  if (ipam !== undefined) throw invalid('--ipam', ipam, what, 'Leave it out, or add --driver remote');
}

/** Placeholder for a subnet that is not chosen yet. */
const EXAMPLE: readonly RangeConfig[] = [{ subnet: { addr: { family: 4, value: 10n << 24n }, length: 8 } }];

/** Throws NetError `invalid-config` for the first option that is present. */
function assertNothing(options: CreateOptions, what: string): void {
  const { driver, subnet, gateway, ipRange, opt, internal, ipv6 } = options;
  if (driver !== undefined) throw invalid('--driver', driver, what, 'Leave it out');
  assertNoPlugin(options, what);
  const lists = { '--subnet': subnet, '--gateway': gateway, '--ip-range': ipRange, '--opt': opt };
  for (const [option, values] of Object.entries(lists)) {
    const value = values?.[0];
    if (value !== undefined) throw invalid(option, value, what, 'Leave it out');
  }
  if (internal === true) throw invalid('--internal', undefined, what, 'Leave it out');
  if (ipv6 === true) throw invalid('--ipv6', undefined, what, 'Leave it out');
}

function unknownDriver(driver: string): NetError {
  const near = nearest(driver, DRIVERS);
  const hint = near === undefined ? `Use ${DRIVERS.join(' or ')}` : `Did you mean ${near}?`;
  return invalid('--driver', driver, 'networks of this driver cannot be made here', hint);
}
