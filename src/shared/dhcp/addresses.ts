import { unassignable } from '../config/ipam-values.ts';
import { type Addr, addrFromBytes } from '../model/addr.ts';
import { firstOf, lastOf, type Prefix } from '../model/prefix.ts';
import { malformed } from './message.ts';

/** The addresses of an option, four bytes each. */
export function addresses(bytes: Uint8Array = new Uint8Array(0)): Addr[] {
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => ipv4(bytes.subarray(i * 4, i * 4 + 4)));
}

export function ipv4(bytes: Uint8Array): Addr {
  const addr = addrFromBytes(bytes);
  if (addr?.family !== 4) throw malformed('has a malformed address');
  return addr;
}

/** Prefix length by the address's class (RFC 791). */
export function classLength({ value }: Addr): number {
  const first = Number(value >> 24n);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/** Why no interface with this prefix can have the address; undefined if one can. */
export function hostFault(addr: Addr, subnet: Prefix): string | undefined {
  const isEdge = subnet.length < 31 && [firstOf(subnet), lastOf(subnet)].some(({ value }) => value === addr.value);
  if (isEdge) return 'it is the first or last address of its subnet';
  return unassignable({ addr, length: 32 });
}

/** True if an interface can have the address, on the link of one with `address` or elsewhere. */
export function isHost(addr: Addr, address: Prefix): boolean {
  return hostFault(addr, address) === undefined;
}
