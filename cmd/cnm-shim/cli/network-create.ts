import type { Command } from 'commander';
import type { Json } from '../../../src/shared/config/fields.ts';
import { invalid } from '../../../src/shared/config/invalid.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import type { RangeText } from '../../../src/shared/config/network-spec.ts';
import { createNetwork } from '../../../src/shared/core/create-network.ts';
import { defaultCandidates } from '../../../src/shared/core/pool-candidates.ts';
import { releasePool, requestPool } from '../../../src/shared/core/pools.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { type Addr, formatAddr, parseAddr } from '../../../src/shared/model/addr.ts';
import {
  contains,
  firstOf,
  formatPrefix,
  lastOf,
  networkOf,
  overlaps,
  type Prefix,
  parsePrefix,
} from '../../../src/shared/model/prefix.ts';
import { PREDEFINED } from '../../../src/shared/ops/networks.ts';
import type { CallCore } from '../../cni-plugin/answer.ts';
import { specOfElement } from '../../cni-plugin/configured-network.ts';
import { networkName } from '../../cni-plugin/request.ts';
import { collected } from './arguments.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

/** Who keeps the networks that this verb makes. */
export const OPERATOR = 'operator';

const DRIVERS = ['bridge', 'null'];
/** Keys of a configuration that arguments and other options say. */
const SAID = ['cniVersion', 'name', 'type', 'driver', 'ipam', 'internal'];

const EXAMPLES = `
The network stays until isthmus network rm. Pods join it by a CNI configuration of its name, containers of Docker by
docker network create -d isthmus --ipam-driver isthmus --ipam-opt network=web -o network=web NAME.

Examples:
  isthmus network create web                       a free subnet, masqueraded
  isthmus network create web --subnet 10.88.0.0/16 --gateway 10.88.0.1 --subnet fd00:88::/64
  isthmus network create db --internal             nothing in or out
  isthmus network create lab --opt bridge=lab0 --opt mtu=1400 --opt icc=false
                                                   keys of a CNI configuration
`;

interface CreateOptions extends StateOptions {
  readonly driver: string;
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  readonly internal: boolean;
  readonly opt: readonly string[];
}

/** `network` knows the verb `create`. */
export function addCreate(network: Command): void {
  const create = network.command('create').argument('<name>').summary('make a network that stays');
  addStateDir(create)
    .option('-d, --driver <driver>', `${DRIVERS.join(' or ')}`, 'bridge')
    .option('--subnet <cidr>', 'one of each family; without any, a free one is chosen', collected, [])
    .option('--gateway <address>', "a subnet's gateway; its first address unless given", collected, [])
    .option('--ip-range <cidr>', 'part of a subnet that addresses are taken from', collected, [])
    .option('--internal', 'nothing is forwarded in or out', false)
    .option('--opt <key=value>', 'a key of a CNI configuration', collected, [])
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: CreateOptions) => {
      using core = openState(options);
      assertNew(core, name);
      await make(core, name, options);
      console.log(name);
    });
}

/** Throws NetError where the name is none or is taken. */
function assertNew({ store }: CallCore, name: string): void {
  networkName({ name });
  const predefined = PREDEFINED.some((known) => known.name === name);
  if (!predefined && !(store.networks.get(name)?.holders ?? []).includes(OPERATOR)) return;
  const what = predefined ? 'a network of this name is predefined' : 'there is a network of this name';
  throw new NetError({ kind: 'exists', op: 'network', subject: name, what, hint: 'Choose another name' });
}

async function make(core: CallCore, name: string, options: CreateOptions): Promise<void> {
  const { driver } = options;
  if (!DRIVERS.includes(driver)) throw unknownDriver(driver);
  if (driver === 'null') {
    assertNothingElse(options);
    const spec = { options: { driver: 'null' as const }, ranges: [], routes: [] };
    return await createNetwork(core, { name, holder: OPERATOR, spec });
  }
  const given = options.subnet.map(readSubnet);
  // It is nobody else's while the network is made.
  const pool =
    given.length > 0
      ? undefined
      : requestPool(
          core,
          { network: name, v6: false },
          {
            candidates: defaultCandidates(core.host.identity.hostId),
            avoid: [],
            now: Date.now(),
          },
        );
  try {
    const subnets = pool === undefined ? given : [readSubnet(pool.subnet)];
    const spec = specOfElement(configuration(name, options, subnets));
    if (spec === undefined) throw unknownDriver(driver);
    await createNetwork(core, { name, holder: OPERATOR, spec });
  } finally {
    if (pool !== undefined) releasePool(core, pool.id);
  }
}

/** The CNI configuration that makes the same network. */
function configuration(name: string, options: CreateOptions, subnets: readonly Prefix[]): Json {
  const { internal } = options;
  return {
    cniVersion: '1.1.0',
    name,
    type: 'isthmus',
    driver: 'bridge',
    isGateway: true,
    ...(internal ? { internal } : { isDefaultGateway: true, ipMasq: true }),
    ...Object.fromEntries(options.opt.map(readOption)),
    ipam: { ranges: rangesOf(subnets, options) },
  };
}

/** One range set a subnet, with the gateway and the part of it that are inside of it. */
function rangesOf(subnets: readonly Prefix[], options: CreateOptions): RangeText[][] {
  const gateways = options.gateway.map(readAddress);
  const parts = options.ipRange.map((text) => readPrefix('--ip-range', text));
  const [strayGateway] = gateways.filter((gateway) => !subnets.some((subnet) => contains(subnet, gateway)));
  if (strayGateway !== undefined) throw stray('--gateway', formatAddr(strayGateway));
  const [strayPart] = parts.filter((part) => !subnets.some((subnet) => isInside(part, subnet)));
  if (strayPart !== undefined) throw stray('--ip-range', formatPrefix(strayPart));
  return subnets.map((subnet) => {
    const gateway = gateways.find((addr) => contains(subnet, addr));
    const part = parts.find((prefix) => isInside(prefix, subnet));
    return [
      {
        subnet: formatPrefix(subnet),
        ...(part === undefined ? {} : { rangeStart: formatAddr(firstOf(part)), rangeEnd: formatAddr(lastOf(part)) }),
        ...(gateway === undefined ? {} : { gateway: formatAddr(gateway) }),
      },
    ];
  });
}

function isInside(part: Prefix, subnet: Prefix): boolean {
  return overlaps(part, subnet) && part.length >= subnet.length;
}

function readOption(text: string): [string, unknown] {
  const equals = text.indexOf('=');
  const key = text.slice(0, equals);
  const value = text.slice(equals + 1);
  if (equals < 1) throw invalid('--opt', text, 'it is no key=value', 'Write --opt mtu=1400');
  if (SAID.includes(key)) throw invalid('--opt', text, 'an argument or an option of its own says that', 'See --help');
  return [key, readValue(value)];
}

/** Booleans, numbers and lists as JSON has them; all else is text. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readSubnet(text: string): Prefix {
  const subnet = readPrefix('--subnet', text);
  const whole = networkOf(subnet);
  if (formatPrefix(whole) === formatPrefix(subnet)) return subnet;
  throw invalid('--subnet', text, 'it has host bits', `Write ${formatPrefix(whole)}`);
}

function readPrefix(option: string, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return prefix;
  throw invalid(option, text, 'it is no subnet', 'Write one like 10.88.0.0/16 or fd00:88::/64');
}

function readAddress(text: string): Addr {
  const addr = parseAddr(text);
  if (addr !== undefined) return addr;
  throw invalid('--gateway', text, 'it is no address', 'Write one like 10.88.0.1 or fd00:88::1');
}

function stray(option: string, text: string): NetError {
  return invalid(option, text, 'it is in none of the subnets', 'Give --subnet, too, or change it');
}

function assertNothingElse({ subnet, gateway, ipRange, opt, internal }: CreateOptions): void {
  const given = [
    ...subnet.map((text) => ['--subnet', text] as const),
    ...gateway.map((text) => ['--gateway', text] as const),
    ...ipRange.map((text) => ['--ip-range', text] as const),
    ...opt.map((text) => ['--opt', text] as const),
    ...(internal ? [['--internal', 'true'] as const] : []),
  ];
  const [first] = given;
  if (first !== undefined) throw invalid(first[0], first[1], 'it means nothing to driver null', 'Remove it');
}

function unknownDriver(driver: string): NetError {
  const near = nearest(driver, DRIVERS);
  const hint = near === undefined ? `Use ${DRIVERS.join(' or ')}` : `Did you mean ${near}?`;
  return invalid('--driver', driver, 'networks of this driver cannot be made here', hint);
}
