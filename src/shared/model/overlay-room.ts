import type { Family } from './addr.ts';

/** Ethernet, IP, UDP and VXLAN headers around a frame (RFC 7348, section 5), by family of the underlay. */
const VXLAN = { 4: 50, 6: 70 } as const;
/** SPI, sequence number, IV and tag of AES-GCM, and the two bytes behind the padding (RFC 4303, RFC 4106). */
const ESP = 8 + 8 + 16 + 2;
/** ESP pads to four bytes, and the headers of VXLAN around a frame have a multiple of four and two more. */
const ALIGNMENT = 4;

/** The MTU that an underlay leaves for a network. */
export function roomOf(mtu: number, underlay: Family, isEncrypted: boolean): number {
  const room = mtu - VXLAN[underlay];
  return isEncrypted ? Math.floor((room - ESP) / ALIGNMENT) * ALIGNMENT : room;
}

/** The MTU that an underlay needs for a network with this one. */
export function underlayFor(mtu: number, underlay: Family, isEncrypted: boolean): number {
  const padded = Math.ceil(mtu / ALIGNMENT) * ALIGNMENT;
  return (isEncrypted ? padded + ESP : mtu) + VXLAN[underlay];
}
