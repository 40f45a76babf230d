import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import type { ForwardingState, NeighbourState } from '../model/link.ts';
import { type NeighbourMessage, neighbour } from '../netlink/address.ts';
import { AF_BRIDGE, AF_INET, AF_INET6, ENODEV, NUD_NOARP, NUD_PERMANENT, RTM_GETNEIGH } from '../netlink/constants.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import type { LinkReader } from './read-links.ts';

/** Reads the permanent neighbours of the named devices that exist. */
export function readNeighbours(ns: LinuxNamespace, links: LinkReader, devices: readonly string[]): NeighbourState[] {
  return [...links.named(devices).values()].flatMap(({ name: dev, index }) =>
    // The kernel refuses an index in the header of this dump.
    dump(ns, neighbour.encode({ header: {}, attrs: { index } })).flatMap(({ header, attrs }) => {
      const { dst: address, mac } = attrs;
      const isWanted = header.index === index && (header.family === AF_INET || header.family === AF_INET6);
      const isOurs = isWanted && (header.state & NUD_PERMANENT) !== 0;
      return !isOurs || address === undefined || mac === undefined ? [] : { dev, address, mac };
    }),
  );
}

/**
 * Reads the static FDB entries of the named devices that exist. Other devices than VXLAN list their address filters as
 * `self` entries; they are not read.
 */
export function readForwarding(ns: LinuxNamespace, links: LinkReader, devices: readonly string[]): ForwardingState[] {
  return [...links.named(devices).values()].flatMap(({ name: dev, index, kind }) =>
    dump(ns, neighbour.encode({ header: { family: AF_BRIDGE, index }, attrs: {} })).flatMap(({ header, attrs }) => {
      const { dst, mac, master } = attrs;
      const flags = master === undefined ? 'self' : 'master';
      // NUD_PERMANENT marks the address of a port itself.
      const isStatic = (header.state & (flags === 'self' ? NUD_PERMANENT | NUD_NOARP : NUD_NOARP)) !== 0;
      const isWanted = header.index === index && (flags === 'master' || kind === 'vxlan') && isStatic;
      return !isWanted || mac === undefined ? [] : { dev, mac, ...given({ dst }), flags };
    }),
  );
}

/** Filtered by the kernel; one that does not filter gives more. */
function dump(ns: LinuxNamespace, payload: Uint8Array): NeighbourMessage[] {
  try {
    return ns.route
      .dump({ type: RTM_GETNEIGH, payload })
      .flatMap((message) => neighbour.decode(message.payload, true) ?? []);
  } catch (error) {
    if (error instanceof NetError && error.errno === ENODEV) return [];
    throw error;
  }
}
