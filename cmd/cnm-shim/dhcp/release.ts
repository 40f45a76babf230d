import { releaseOf } from '../../../src/shared/dhcp/client.ts';
import { clock, heldOf, identityOf } from '../../../src/shared/dhcp/kept.ts';
import { openBroadcasting, openUnicasting } from '../../../src/shared/dhcp/sockets.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import { formatAddr } from '../../../src/shared/model/addr.ts';
import type { DhcpLeaseRow } from '../../../src/shared/store/dhcp-leases.ts';
import { openInterface } from './interface.ts';

/** Milliseconds to wait until a RELEASE has left: it leaves once the server's MAC is known. */
const RELEASE_MS = 2000;

/** Tells the server that the address is free; does nothing where the interface is gone. Throws NetError. */
export async function sendRelease(host: LinuxHost, row: DhcpLeaseRow): Promise<void> {
  using at = openInterface(host, row);
  if (at === undefined) return;
  const surroundings = { identity: identityOf(row), now: clock(), random: Math.random };
  const { message, from, to } = releaseOf(heldOf(row), surroundings);
  if (at.addresses.includes(formatAddr(from))) {
    using unicasting = openUnicasting(at, from, to);
    unicasting.send(message);
    await unicasting.sent(RELEASE_MS);
  } else {
    // Before a failed ADD had given it the address: no socket can be bound to it.
    using broadcasting = openBroadcasting(at, () => {});
    broadcasting.send(message, from);
  }
}
