import type { Element } from '../host/firewall-elements.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/constants.ts';
import {
  addElementsRequests,
  deleteChainRequests,
  deleteElementsRequests,
  listElements,
  type RawElement,
} from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { encodeElement, sameElement, TABLE_ID } from './nft-elements.ts';
import { ruleCounts, SET_NAMES } from './nft-table.ts';

/**
 * The messages after which the sets of a whole table hold these elements and no others, and no chain of a port is there
 * but those named. What is there already is not touched: traffic notices nothing.
 */
export function diffRequests(
  socket: NetlinkSocket,
  elements: readonly Element[],
  chains: readonly string[],
  counted: ReadonlyMap<string, number>,
): Request[] {
  const removed: Request[] = [];
  const added: Request[] = [];
  for (const set of SET_NAMES) {
    const id = { ...TABLE_ID, set };
    const wanted = byKey(elements.filter((element) => element.set === set).flatMap(encodeElement));
    const there = byKey(listElements(socket, id).filter((element) => !isFiller(element)));
    const stays = (key: string): boolean => sameElement(wanted.get(key) ?? {}, there.get(key));
    removed.push(...deleteElementsRequests(id, without(there, stays)));
    added.push(...addElementsRequests(id, without(wanted, stays)));
  }
  const left = [...counted.keys()].filter((chain) => !ruleCounts().has(chain) && !chains.includes(chain));
  return [...removed, ...left.flatMap((chain) => deleteChainRequests(TABLE_ID, chain)), ...added];
}

function byKey(elements: readonly RawElement[]): ReadonlyMap<string, RawElement> {
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
  return new Map(elements.map((one) => [`${one.flags ?? 0} ${text(one.key?.value)} ${text(one.keyEnd?.value)}`, one]));
}

function without(elements: ReadonlyMap<string, RawElement>, stays: (key: string) => boolean): RawElement[] {
  return [...elements].filter(([key]) => !stays(key)).map(([, element]) => element);
}

/** nft puts the end of an interval before the first one, at address 0; it belongs to nobody. */
function isFiller({ flags = 0, key }: RawElement): boolean {
  return (flags & NFT_SET_ELEM_INTERVAL_END) !== 0 && key?.value?.every((byte) => byte === 0) === true;
}
