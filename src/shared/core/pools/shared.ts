import { completeRange } from '../../config/ipam-ranges.ts';
import type { NetworkSpec } from '../../config/network-spec.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { RangeSet, RangeSpec } from '../../ipam/ranges.ts';
import { type Addr, type Family, formatAddr } from '../../model/addr.ts';
import { firstHost, formatPrefix, type Prefix, parsePrefix, samePrefix } from '../../model/prefix.ts';
import type { PoolRow } from '../../store/store.ts';
import { type Core, nameInDocker } from '../core.ts';
import { knownNetwork } from '../networks/record.ts';
import type { Asked } from './request.ts';
import { subnetOf } from './rows.ts';

/** Default `ipam.dataDir` of a CNI configuration. */
const DATA_DIR = '/var/lib/cni/networks';

/** The fields that a pool copies from its Network. */
export type SharedPool = Pick<PoolRow, 'network' | 'scope' | 'gateway' | 'whole'> & { readonly subnet: Prefix };

/**
 * The pool of the named Network. If that does not exist yet: the requested subnet, that of another pool for the same
 * Network or of the cluster's network of this name, or the result of `choose`. Throws NetError `conflict` if the
 * Network has a different subnet, foreign IPAM, no subnet of this family, or several.
 */
export function sharedPool(core: Core, asked: Asked & { readonly network: string }, choose: () => Prefix): SharedPool {
  const { network, subnet: given, family, own } = asked;
  const spec = knownNetwork(core, network);
  if (spec === undefined && own !== undefined) {
    const { range, subnet: whole } = own;
    const text = { whole: formatPrefix(whole), gateway: formatAddr(firstHost(range)) };
    return { network, scope: `${DATA_DIR}/${network}`, subnet: range, ...text };
  }
  if (spec === undefined) {
    const pending = core.store.pools.list().filter((row) => row.network === network);
    const same = pending.map(subnetOf).find(({ addr }) => addr.family === family);
    const range = clusterRange(core, network, family);
    const subnet = given ?? same ?? range?.subnet ?? choose();
    const isCluster = range !== undefined && samePrefix(range.subnet, subnet);
    return {
      ...{ network, scope: `${DATA_DIR}/${network}`, subnet },
      ...(isCluster && { gateway: formatAddr(range.gateway) }),
    };
  }
  const { subnet, gateway } = onlyRange(core, network, spec, family);
  const whole = wholeOf(spec, family);
  const text = whole ?? formatPrefix(subnet);
  if (given !== undefined && formatPrefix(given) !== text) {
    const what = `it has ${text}, but --subnet ${formatPrefix(given)} is requested`;
    throw refuse(network, what, `Give its own: ${join(core, network, `--subnet ${text}`)}`);
  }
  const scope = spec.scope ?? `${DATA_DIR}/${network}`;
  return { network, scope, subnet, gateway: formatAddr(gateway), ...(whole !== undefined && { whole }) };
}

/** The subnet of all hosts, if each has a range of its own. */
function wholeOf({ options }: NetworkSpec, family: Family): string | undefined {
  const pools = options.driver === 'overlay' ? (options.pools ?? []) : [];
  return pools.find((pool) => parsePrefix(pool)?.addr.family === family);
}

/** The first range of the family that the cluster has under this name. */
function clusterRange({ cluster }: Core, network: string, family: Family): RangeSpec | undefined {
  const ranges = cluster?.named(network)?.sets.flat() ?? [];
  return ranges.find(({ subnet }) => subnet.addr.family === family);
}

/** The ranges of a shared pool: all sets, for the addresses that are never given, and the index of its own set. */
export interface SharedRanges {
  readonly sets: readonly RangeSet[];
  readonly index: number;
}

/** Undefined if the Network has no spec yet, or no longer has such a subnet. */
export function sharedRanges(core: Core, row: PoolRow): SharedRanges | undefined {
  const spec = row.network === undefined ? undefined : knownNetwork(core, row.network);
  if (spec === undefined) return undefined;
  const sets = setsOf(spec);
  const index = sets.findIndex((set) => set.every((range) => samePrefix(range.subnet, subnetOf(row))));
  return index < 0 ? undefined : { sets, index };
}

/** The first range of the family. Its subnet and gateway stand for all ranges. */
function onlyRange(core: Core, network: string, spec: NetworkSpec, family: Family): { subnet: Prefix; gateway: Addr } {
  const alone = `Make a network of its own: docker network create -d ${nameInDocker(core)} NAME`;
  if (spec.allocator === 'docker') throw refuse(network, "Docker's own IPAM hands out its addresses, to Docker", alone);
  if (spec.allocator !== undefined)
    throw refuse(network, `${spec.allocator} hands out its addresses, which Docker cannot ask for any`, alone);
  const all = setsOf(spec);
  const [set, more] = all.filter((one) => one[0]?.subnet.addr.family === family);
  const first = set?.[0];
  if (set === undefined || first === undefined || spec.scope === undefined) {
    const others = spec.scope === undefined ? [] : all.flatMap((one) => one[0]?.subnet ?? []);
    throw refuse(
      network,
      `it has no IPv${family} addresses to hand out`,
      withoutFamily(core, network, family, others) ?? alone,
    );
  }
  if (more !== undefined)
    throw refuse(
      network,
      `it has several range sets of IPv${family}, and Docker takes one address of each family`,
      alone,
    );
  if (set.some(({ subnet }) => !samePrefix(subnet, first.subnet)))
    throw refuse(
      network,
      `its addresses of IPv${family} are of several subnets, and a pool of Docker's has one`,
      alone,
    );
  return first;
}

/** The command to run if the Network has only the other family. */
function withoutFamily(core: Core, network: string, family: Family, [subnet]: readonly Prefix[]): string | undefined {
  if (subnet === undefined) return undefined;
  const named = `--subnet ${formatPrefix(subnet)}`;
  if (family === 6) return `Leave --ipv6 out: ${join(core, network, named)}`;
  return `Docker 28 and later can do without: ${join(core, network, `--ipv4=false --ipv6 ${named}`)}`;
}

/** The command that joins the Network. */
function join(core: Core, network: string, options: string): string {
  const name = nameInDocker(core);
  const shared = `--ipam-driver ${name} --ipam-opt network=${network} -o network=${network}`;
  return `docker network create -d ${name} ${shared} ${options} NAME`;
}

function setsOf({ ranges }: NetworkSpec): RangeSet[] {
  return ranges.map((set) => set.map(completeRange));
}

function refuse(network: string, what: string, hint: string): NetError {
  return fault.conflict('ipam', `network ${network}`, what, hint);
}
