import type { DhcpLeaseRow } from '../store/dhcp-leases.ts';
import { leaseOf } from './lease.ts';
import { decodeMessage } from './message.ts';
import { clientIdOf, type Identity } from './requests.ts';
import type { Held } from './states.ts';

/** Milliseconds since the boot; goes on while the machine sleeps, and is not set. */
export function clock(): number {
  return Math.round(process.getBuiltinModule('node:os').uptime() * 1000);
}

/** The lease of a row. Throws NetError `io` for a row of a release that accepted more. */
export function heldOf({ ack, since, priority }: DhcpLeaseRow): Held {
  const message = decodeMessage(Uint8Array.from(Buffer.from(ack, 'hex')));
  return { ack: message, lease: leaseOf(message, priority), since };
}

/** What the client of a row tells of itself. */
export function identityOf(row: Omit<DhcpLeaseRow, 'ack' | 'since'>): Identity {
  const { attachment, mac, broadcast, request, provide, priority } = row;
  const { containerId, network, ifName } = attachment;
  return {
    ...{ mac, broadcast, request, clientId: clientIdOf(containerId, network, ifName) },
    provide: new Map(provide.map(([code, value]) => [code, new Uint8Array(Buffer.from(value))])),
    ...(priority === undefined ? {} : { priority }),
  };
}
