import type { OpenRelay } from '../../../src/shared/core/ports/held-span.ts';
import { Budget } from './ends.ts';
import { relayTcp } from './tcp.ts';
import { relayUdp } from './udp.ts';

/** Connections and UDP clients of all relays at a time, if the daemon may open enough files. */
const MAX_CLIENTS = 2048;

/**
 * Relays a host port of IPv6 to a container that has IPv4 only, as docker-proxy does: the container sees connections
 * from the host's own address. `descriptors`: how many files the daemon may open besides those of held ports.
 */
export function relays(descriptors: number): OpenRelay {
  // A TCP connection has two descriptors.
  const budget = new Budget(Math.min(MAX_CLIENTS, Math.floor(descriptors / 4)));
  return (place, target, failed) => {
    const relay = place.protocol === 'udp' ? relayUdp : relayTcp;
    const from = { host: place.address ?? '::', port: place.port };
    return relay(from, { host: target.address, port: target.port }, { budget, failed });
  };
}
