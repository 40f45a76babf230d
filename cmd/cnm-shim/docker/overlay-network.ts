import { completeRange } from '../../../src/shared/config/ipam-ranges.ts';
import { bridgeOf, type NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { type OverlayOptions, vxlanName } from '../../../src/shared/config/overlay.ts';
import type { JoinedNetwork } from '../../../src/shared/core/cluster-networks.ts';
import { type Core, nameInDocker } from '../../../src/shared/core/core.ts';
import { clusterOf, onNetwork } from '../../../src/shared/core/overlay-source.ts';
import { subnetOf } from '../../../src/shared/core/pools/rows.ts';
import type { Addressing } from '../../../src/shared/drivers/driver.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { formatSet, type RangeSet } from '../../../src/shared/ipam/ranges.ts';
import type { Family } from '../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import { macOfAddr } from '../../../src/shared/model/mac.ts';
import {
  firstOf,
  formatPrefix,
  lastOf,
  type Prefix,
  parsePrefix,
  samePrefix,
} from '../../../src/shared/model/prefix.ts';
import type { PoolRow } from '../../../src/shared/store/store.ts';
import { refusedOption } from './given-option.ts';
import { DOCKER_KEYS, type DockerOptions } from './options.ts';
import type { OverlayChoice, OverlayMode } from './overlay-options.ts';
import { traitsOf } from './shared-network.ts';
import type { CreateNetworkRequest } from './wire/messages.ts';

export interface OverlayRequest {
  readonly request: CreateNetworkRequest;
  readonly options: DockerOptions;
  readonly overlay: OverlayChoice;
  /** Of our own IPAM. */
  readonly pools: ReadonlyMap<Family, PoolRow>;
  /** What this host has under the name. */
  readonly known: NetworkSpec | undefined;
  /** That, or what the request means with driver `bridge`. */
  readonly spec: NetworkSpec;
}

/**
 * Ensures the network in the cluster, and returns its spec on this host. The caller disposes of `during` once the network
 * is on record, or does not come to be. Throws NetError `unavailable` if this host is in
 * no cluster or cannot reach its store, `conflict` with both values if the cluster has another network of that name.
 */
export async function joinOverlay(
  core: Core,
  name: string,
  asked: OverlayRequest,
  during: DisposableStack,
): Promise<NetworkSpec> {
  const { request, overlay, pools, known, spec } = asked;
  const bridge = bridgeOf(spec.options);
  if (bridge === undefined) throw fault.internal('network', `network ${name}`, 'an overlay network without a bridge');
  const cluster = clusterOf(core, name);
  assertCarried(core, name, asked);
  const record = cluster.named(name);
  const mode = modeOf(core, name, asked, record?.mode);
  const isRouted = mode === 'per-host';
  const sets = setsOf(isRouted ? wholesOf(pools) : spec.ranges, record?.sets ?? []);
  if (!isRouted) assertRanges(name, asked, sets);
  const has = record?.options ?? { flood: false, hostAddress: false, encrypted: false };
  const { vni, flood = has.flood, hostAddress = has.hostAddress } = overlay;
  const wanted = {
    ...{ name, bridge, sets },
    config: {
      ...{ mode, device: vxlanName(name), flood, hostAddress, encrypted: overlay.encrypted ?? has.encrypted },
      ...(vni !== undefined && { vni }),
    },
    internal: known === undefined ? request.internal : traitsOf(known).internal,
    ...(isRouted && { ranges: [...pools.values()].map(subnetOf) }),
  };
  const joining = cluster.join(wanted, during);
  const joined = await onNetwork(name, joining);
  if (isRouted) assertOffered(name, joined, pools);
  const ranges = isRouted ? joined.sets : sets;
  return known ?? { ...spec, options: joined.options, ranges, ...exempted(spec, joined) };
}

/** The network's mode: the cluster's, else the one that its pools were asked for with. Throws NetError `conflict`. */
function modeOf(
  core: Core,
  name: string,
  { overlay, pools }: OverlayRequest,
  recorded: OverlayMode | undefined,
): OverlayMode {
  const refuse = (what: string, hint: string): NetError => fault.conflict('join', `network ${name}`, what, hint);
  const rows = [...pools.values()];
  const offered: OverlayMode = rows.some(({ whole }) => whole !== undefined) ? 'per-host' : 'shared';
  const { mode = recorded ?? offered, flood, hostAddress } = overlay;
  if (recorded !== undefined && recorded !== mode)
    throw refuse(`the cluster has it with mode ${recorded}, not ${mode}`, 'Leave -o mode out, or use another name');
  if (recorded === undefined && offered !== mode) {
    const driver = nameInDocker(core);
    const subnets = rows.map(({ subnet, whole }) => ` --subnet ${whole ?? subnet}`).join('');
    const opts = `--ipam-opt network=${name} --ipam-opt mode=${mode} -o network=${name} -o driver=overlay -o mode=${mode}`;
    throw refuse(
      `-o mode=${mode} comes after its addresses have been asked for with mode ${offered}`,
      `Use: docker network create -d ${driver} --ipam-driver ${driver} ${opts}${subnets} NAME`,
    );
  }
  if (rows.some(({ whole }) => (whole !== undefined) !== (mode === 'per-host')))
    throw refuse(`its addresses were asked for before it had mode ${mode}`, 'Create the network again');
  if (mode === 'per-host' && (flood || hostAddress))
    throw refuse(
      `its mode is per-host, which has neither floods nor addresses of hosts`,
      `Leave -o ${flood ? 'flood' : 'hostAddress'} out`,
    );
  return mode;
}

/** The subnets of all hosts, as ranges. */
function wholesOf(pools: OverlayRequest['pools']): NetworkSpec['ranges'] {
  return [...pools.values()].flatMap(({ whole }) => {
    const subnet = parsePrefix(whole ?? '');
    return subnet === undefined ? [] : [[{ subnet }]];
  });
}

/** Throws NetError `conflict` if this host has another range than dockerd was told. */
function assertOffered(name: string, { sets }: JoinedNetwork, pools: OverlayRequest['pools']): void {
  const own = sets.flat().map(({ subnet }) => formatPrefix(subnet));
  const other = [...pools.values()].find(({ subnet }) => !own.includes(subnet));
  if (other === undefined) return;
  const what = `this host has ${own.join(' and ')} of it, not ${other.subnet}`;
  throw fault.conflict('join', `network ${name}`, what, 'Create the network again');
}

/**
 * Gives the endpoint's addresses their endpoint in the cluster, and returns its MAC, which the other hosts have to know.
 * Throws NetError `conflict` if this host does not hold an address, `unavailable`.
 */
export async function announce(
  core: Core,
  { network }: OverlayOptions,
  owner: Attachment,
  { addresses }: Addressing,
  requested: string | undefined,
): Promise<string | undefined> {
  const [first] = addresses;
  if (first === undefined) return requested;
  const mac = requested ?? macOfAddr(first.address.addr, owner.network);
  const cluster = clusterOf(core, owner.network);
  const addrs = addresses.map(({ address }) => address.addr);
  await onNetwork(owner.network, cluster.amend(network, addrs, { owner, mac }));
  return mac;
}

/** The cluster's sets if the request's subnets are among them: it may ask for one family of two. */
function setsOf(ranges: NetworkSpec['ranges'], recorded: readonly RangeSet[]): readonly RangeSet[] {
  const own = ranges.map((set) => set.map(completeRange));
  const subnets = recorded.flat().map(({ subnet }) => subnet);
  const isThere = (one: Prefix): boolean => subnets.some((other) => samePrefix(one, other));
  return own.flat().every(({ subnet }) => isThere(subnet)) && recorded.length > own.length ? recorded : own;
}

/** Throws NetError `conflict` for a part of the subnet (--ip-range) that is not the cluster's. */
function assertRanges(name: string, { pools }: OverlayRequest, sets: readonly RangeSet[]): void {
  for (const { range: text, subnet } of pools.values()) {
    const part = parsePrefix(text ?? '');
    const range = sets.flat().find((one) => formatPrefix(one.subnet) === subnet);
    if (part === undefined || range === undefined) continue;
    const { rangeStart, rangeEnd } = range;
    if (rangeStart.value === firstOf(part).value && rangeEnd.value === lastOf(part).value) continue;
    const what = `all hosts of network ${name} choose from ${formatSet([range])}`;
    throw fault.conflict('network', `--ip-range ${text}`, what, 'Leave --ip-range out');
  }
}

/** Throws NetError for what a network over several hosts cannot have. */
function assertCarried(core: Core, name: string, { request, options, pools }: OverlayRequest): void {
  for (const { pool, auxAddresses } of [...request.ipv4, ...request.ipv6]) {
    if (!pools.has(pool.addr.family)) {
      const what = `its addresses of ${formatPrefix(pool)} are not given by the cluster`;
      const hint = `Add --ipam-driver ${nameInDocker(core)} --ipam-opt network=${name} -o network=${name}`;
      throw fault.conflict('network', `network ${name}`, what, hint);
    }
    const [aux] = Object.keys(auxAddresses);
    if (aux === undefined) continue;
    const what = 'other hosts of an overlay network would give this address away';
    throw fault.unsupportedField(
      'network',
      `--aux-address ${aux}`,
      what,
      'Leave a part of the subnet out by --ip-range',
    );
  }
  const key = options.icc === false ? DOCKER_KEYS.icc : options.inhibit4 === true ? DOCKER_KEYS.inhibit4 : undefined;
  if (key === undefined) return;
  const value = options.icc === false ? 'false' : 'true';
  throw refusedOption({ key, value }, 'hosts of an overlay network cannot agree on it', 'Leave it out');
}

/** Traffic within the network keeps its addresses; what is behind a routed network's device is its own. */
function exempted({ rules }: NetworkSpec, { options, pools }: JoinedNetwork): Pick<NetworkSpec, 'rules'> {
  if (rules === undefined) return {};
  const { masquerade } = rules.options;
  return {
    rules: {
      ...rules,
      options: {
        ...rules.options,
        ...(masquerade && { masquerade: { ...masquerade, except: [...masquerade.except, ...pools] } }),
        ...(options.mode === 'per-host' && { vxlan: options.vxlan.device }),
      },
    },
  };
}
