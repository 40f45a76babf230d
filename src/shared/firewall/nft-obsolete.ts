import { type Element, footprint, obsoleteElements } from '../host/firewall-elements.ts';
import type { FirewallEntry, MasqueradeEntry } from '../model/firewall.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/netfilter.ts';
import { deleteElementsRequests } from '../netlink/nft-batch.ts';
import { listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { encodeElement, setId, TABLE_ID, textOf } from './nft-elements.ts';
import { intervalsOf, presenceOf } from './nft-state.ts';

/**
 * Returns the messages that delete the remains of a replaced entry: a device's old policy, a subnet's old source and
 * exceptions. Empty if nothing remains.
 */
export function obsoleteRequests(socket: NetlinkSocket, entries: readonly FirewallEntry[]): Request[] {
  const elements = obsoleteElements(entries);
  const states = elements.length === 0 ? [] : presenceOf(socket, elements);
  const policies = elements.filter((_, i) => states[i] === 'present');
  return [
    ...policies.flatMap((element) => deleteElementsRequests(setId(element), encodeElement(element))),
    ...entries.flatMap((entry) => (entry.kind === 'masquerade' ? obsoleteMasquerade(socket, entry) : [])),
  ];
}

function obsoleteMasquerade(socket: NetlinkSocket, entry: MasqueradeEntry): Request[] {
  const { elements } = footprint([entry]);
  const subnet = elements.find(({ set }) => set.startsWith('masquerade'));
  const [start] = subnet === undefined ? [] : encodeElement(subnet);
  const low = start?.key?.value;
  if (subnet === undefined || low === undefined) return [];
  const family = subnet.set.slice('masquerade'.length);
  return [
    ...oldSource(socket, `source${family}`, low, elements),
    ...oldExceptions(socket, `direct${family}`, low, elements),
  ];
}

/** `to` of the old entry if the new one has none; a different `to` replaces it in place. */
function oldSource(socket: NetlinkSocket, set: string, low: Uint8Array, elements: readonly Element[]): Request[] {
  if (elements.some((element) => element.set === set)) return [];
  const id = { ...TABLE_ID, set };
  return intervalsOf(listElements(socket, id)).flatMap(({ start, end }) => {
    if (!begins(start, low)) return [];
    const edge = end === undefined ? [] : [{ flags: NFT_SET_ELEM_INTERVAL_END, key: { value: end } }];
    return deleteElementsRequests(id, [start, ...edge]);
  });
}

/** Exceptions of the subnet that the new entry lacks. */
function oldExceptions(socket: NetlinkSocket, set: string, low: Uint8Array, elements: readonly Element[]): Request[] {
  const id = { ...TABLE_ID, set };
  const wanted = new Set(
    elements.filter((element) => element.set === set).map((element) => textOf(encodeElement(element))),
  );
  const old = listElements(socket, id).filter((raw) => begins(raw, low) && !wanted.has(textOf([raw])));
  return deleteElementsRequests(id, old);
}

function begins({ key }: RawElement, low: Uint8Array): boolean {
  return key?.value !== undefined && Buffer.compare(key.value.subarray(0, low.length), low) === 0;
}
