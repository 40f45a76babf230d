import type { OverlayOptions } from '../../config/overlay.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Family } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { formatPrefix, type Prefix } from '../../model/prefix.ts';
import type { OfferedRange } from '../cluster-networks.ts';
import type { Core } from '../core.ts';
import { clusterOf, onNetwork } from '../overlay-source.ts';

/** What is known of a Network when its pool is requested: before the engine says what the Network is. */
export interface RangeRequest {
  readonly network: string;
  readonly family: Family;
  readonly mode?: OverlayOptions['mode'];
  readonly subnet?: Prefix;
  /** The part of the subnet (--ip-range). */
  readonly part?: Prefix;
}

/**
 * The range that this host has, or would get, of a Network over several hosts, each with a range and a gateway of its
 * own: nothing is leased yet. Undefined for any other Network, and for one on record here, whose ranges are known.
 * Throws NetError `conflict` with both values if the Network has another mode or subnet; `unavailable`.
 */
export async function ownRange(core: Core, request: RangeRequest): Promise<OfferedRange | undefined> {
  const { network, family, mode, subnet, part } = request;
  const options = core.store.networks.get(network)?.spec?.options;
  const known = options?.driver === 'overlay' ? options.mode : core.cluster?.named(network)?.mode;
  if (known !== undefined && mode !== undefined && known !== mode)
    throw refused(
      network,
      `it has mode ${known}, and --ipam-opt mode=${mode} is requested`,
      'Leave --ipam-opt mode out',
    );
  if (options !== undefined && mode === 'per-host' && known === undefined)
    throw refused(network, `it is of driver ${options.driver}, which has no modes`, 'Leave --ipam-opt mode out');
  if ((known ?? mode) !== 'per-host') return undefined;
  if (part !== undefined)
    throw refused(network, `each host gets a range of its own, not ${formatPrefix(part)}`, 'Leave --ip-range out');
  if (options !== undefined) return undefined;
  const cluster = clusterOf(core, network);
  return await onNetwork(network, cluster.offer(network, { family, mode: 'per-host', ...given({ subnet }) }));
}

function refused(network: string, what: string, hint: string): NetError {
  return fault.conflict('ipam', `network ${network}`, what, hint);
}
