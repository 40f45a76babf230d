import type { Prefix } from '../model/prefix.ts';
import { contains } from '../model/prefix.ts';
import { type Cursors, claimAddresses } from './addresses.ts';
import { addressesOf, parseAddressHex } from './keys.ts';
import { hostRows } from './ledger.ts';
import { deviceMac } from './remote.ts';
import type { Site } from './site.ts';
import { liveNetwork } from './uses.ts';
import { HOST_ENDPOINT, type NetworkRecord } from './values.ts';

/**
 * The addresses that this host itself has on a `shared` network, one of each set; undefined if one is missing. Needs no
 * store.
 */
export function heldHostAddresses(site: Site, network: string, { sets }: NetworkRecord): Prefix[] | undefined {
  const held = hostRows(site.local, network).filter(({ state }) => state === 'held');
  const addrs = held.flatMap(({ key }) => parseAddressHex(key.slice(addressesOf(network).length)) ?? []);
  const found = sets.map((set) => {
    const range = set.find(({ subnet }) => addrs.some((addr) => contains(subnet, addr)));
    const addr = range && addrs.find((one) => contains(range.subnet, one));
    return addr && { addr, length: range.subnet.length };
  });
  return found.includes(undefined) ? undefined : found.flatMap((one) => one ?? []);
}

/**
 * Claims an address of each set for this host, once: all in one transaction. The MAC is that of its VXLAN device: only
 * this host has it, and what arrives for it is the bridge's own. Throws NetError as `claimAddresses`. Returns what
 * `heldHostAddresses` does from then on.
 */
export async function claimHostAddresses(
  site: Site,
  epoch: string,
  network: string,
  parts: { readonly cursors: Cursors; readonly signal: AbortSignal },
): Promise<Prefix[]> {
  const held = heldHostAddresses(site, network, liveNetwork(site, network));
  if (held !== undefined) return held;
  const mac = deviceMac(site.self.id, network);
  const request = { network, requested: [], endpoint: HOST_ENDPOINT, mac };
  const claim = await claimAddresses(site, epoch, request, parts);
  try {
    site.local.transaction(() => site.ledger.settle(claim.rows), { durable: true });
  } catch (error) {
    site.ledger.abandon(claim.rows);
    throw error;
  }
  return claim.addresses.map(({ address }) => address);
}
