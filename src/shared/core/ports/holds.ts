import type { Family } from '../../model/addr.ts';
import { type Attachment, attachmentText } from '../../model/attachment.ts';
import { type Endpoint, publishedOf } from '../../model/endpoint.ts';
import { formatPorts, type PortSpan, type Protocol, type RelayFacts } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { LocalStore, PortClaim } from '../../store/store.ts';

/** Host ports to hold, or to relay. */
export interface HostPorts extends PortSpan {
  readonly protocol: Protocol;
  readonly hostPort: number;
  /** Absent: every address of `family`. */
  readonly hostIp?: string;
  /** Absent: both. */
  readonly family?: Family;
  /** Where the ports lead to; absent: nothing listens on them. */
  readonly relay?: Pick<RelayFacts, 'address' | 'port'>;
}

/** What a daemon holds, as its calls see it. */
export interface PortHolder {
  /**
   * Holds the ports for the owner, which is about to claim them; `settle` follows in any case. Returns those that are
   * not tested: another socket has one of them.
   */
  reserve<T extends HostPorts>(owner: Attachment, ports: readonly T[]): Promise<readonly T[]>;
  /** Holds exactly the ports that the owner has claimed. */
  settle(store: LocalStore, owner: Attachment): void;
}

/** The host ports of an owner on record. */
export function holdsOfOwner(store: LocalStore, owner: Attachment): HostPorts[] {
  const { ports, endpoints } = store;
  return store.snapshot(() => {
    const claims = ports.list(owner);
    if (claims.length === 0) return [];
    const parts = (['interface', 'portmap'] as const).flatMap((role) => endpoints.get(owner, role) ?? []);
    return holdsOf(claims, parts.flatMap(relaysOf));
  });
}

/** The host ports of all owners on record, by `attachmentText`. */
export function holdsOfAll({ ports, endpoints }: LocalStore): Map<string, HostPorts[]> {
  const claims = Map.groupBy(ports.list(), ({ owner }) => attachmentText(owner));
  const parts = claims.size === 0 ? [] : endpoints.list().filter((part) => relaysOf(part).length > 0);
  const relaying = Map.groupBy(parts, ({ attachment }) => attachmentText(attachment));
  return new Map(
    [...claims].map(([owner, own]) => [owner, holdsOf(own, (relaying.get(owner) ?? []).flatMap(relaysOf))]),
  );
}

/** The relays of a part's ports in force. */
export function relaysOf(part: Endpoint): readonly RelayFacts[] {
  return publishedOf(part)?.relays ?? [];
}

function holdsOf(claims: readonly PortClaim[], relays: readonly RelayFacts[]): HostPorts[] {
  return claims.flatMap(({ owner, ...claim }): HostPorts[] => {
    const relay = relays.find(
      ({ protocol, hostIp, hostPort, count }) =>
        protocol === claim.protocol && hostPort === claim.hostPort && hostIp === claim.hostIp && count === claim.count,
    );
    if (relay === undefined || claim.family === 4) return [claim];
    const { address, port } = relay;
    const relayed: HostPorts = { ...claim, family: 6, relay: { address, port } };
    return claim.family === undefined ? [{ ...claim, family: 4 }, relayed] : [relayed];
  });
}

/** Equal for equal ports. */
export function keyOf(ports: HostPorts): string {
  const { protocol, hostIp = '', family = 'both', hostPort, relay } = ports;
  return [protocol, hostIp, family, formatPorts(hostPort, ports), ...(relay ? [relay.address, relay.port] : [])].join();
}

/** The ports as a mapping or claim names them. */
export function hostPortsOf({ protocol, hostPort, hostIp, family, count }: HostPorts): HostPorts {
  return { protocol, hostPort, ...given({ hostIp, family, count }) };
}
