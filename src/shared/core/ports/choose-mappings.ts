import type { PortMapping } from '../../config/port-mappings.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { LOOPBACK6, NOT_FROM_LOOPBACK6, relayOf } from '../../drivers/relays.ts';
import type { Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import { type Family, formatAddr } from '../../model/addr.ts';
import type { Attachment } from '../../model/attachment.ts';
import { formatPorts, type PublishedEntry } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { PortClaim } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { baseOf, type PortRequest, pickPorts } from './pick-ports.ts';
import { claimOf } from './publish.ts';
import { portScene, type RequestsSeen } from './scene.ts';
import { assertPortsFree } from './seen.ts';

/** An endpoint whose ports are to be published, and its current mappings. */
export interface Publisher {
  readonly attachment: Attachment;
  readonly rules: Rules;
  readonly addressing: Addressing;
  readonly entries: readonly PublishedEntry[];
  readonly claims: readonly PortClaim[];
}

/**
 * Chooses and claims a host port for each request; the caller runs it in a transaction. A request whose families are
 * all routed gets host port 0 and claims none. Throws NetError `conflict` for a host port in use, `invalid-config` for
 * an address that the host does not have or of a family that the endpoint lacks.
 */
export function chooseMappings(
  { store }: Core,
  publisher: Publisher,
  requests: readonly PortRequest[],
  seen: RequestsSeen,
): PortMapping[] {
  const { attachment, rules, addressing, entries, claims } = publisher;
  assertFamilies(requests, rules, addressing);
  const { true: routed = [], false: translated = [] } = Object.groupBy(requests, (request) =>
    isRouted(request, rules, addressing) ? 'true' : 'false',
  );
  const direct = routed.map(directMapping);
  if (translated.length === 0) return direct;
  const claimed = new Set(claims.map(claimText));
  const isClaimed = (mapping: PortMapping): boolean => claimed.has(claimText(claimOf(mapping, attachment)));
  const current = entries.flatMap(mappingOf);
  const picked = pickPorts(translated, portScene(seen, store, attachment, current, isClaimed));
  const fresh = picked.filter((mapping) => !isClaimed(mapping));
  assertPortsFree(seen, fresh);
  return [...picked, ...direct];
}

/** The host ports that the mappings claim. */
export function claimsOf(mappings: readonly PortMapping[], owner: Attachment): PortClaim[] {
  return mappings.filter(({ hostPort }) => hostPort > 0).map((mapping) => claimOf(mapping, owner));
}

/** Stands for a host port that is not chosen yet. */
const ANY_PORT = 1;

/** True if no family of the request is translated, so that it needs no host port. */
function isRouted(request: PortRequest, { options }: Rules, { addresses }: Addressing): boolean {
  const { routed = [] } = options.ports;
  const { family } = baseOf(request);
  const meant: readonly Family[] = family === undefined ? familiesOf(addresses) : [family];
  return routed.length > 0 && meant.every((one) => routed.includes(one));
}

function directMapping(request: PortRequest): PortMapping {
  const { hostIp, ...base } = baseOf(request);
  return { ...base, hostPort: 0 };
}

function mappingOf(entry: PublishedEntry): PortMapping[] {
  if (entry.kind !== 'port') return [];
  const { protocol, hostPort, hostIp, port: containerPort, count } = entry;
  return [{ protocol, hostPort, containerPort, ...given({ hostIp, count }) }];
}

function claimText(claim: PortClaim): string {
  const { protocol, hostIp, family, hostPort } = claim;
  return `${protocol} ${hostIp} ${family} ${formatPorts(hostPort, claim)}`;
}

function familiesOf(addresses: Addressing['addresses']): Family[] {
  return [...new Set(addresses.map(({ address }) => address.addr.family))];
}

function assertFamilies(requests: readonly PortRequest[], { options }: Rules, addressing: Addressing): void {
  const own = familiesOf(addressing.addresses);
  for (const request of requests) {
    const { protocol, containerPort, hostIp } = request;
    if (hostIp === undefined) continue;
    const isLoopback6 = formatAddr(hostIp) === LOOPBACK6;
    if (own.includes(hostIp.family) && !isLoopback6) continue;
    if (relayOf({ ...baseOf(request), hostPort: ANY_PORT }, options.ports, addressing) !== undefined) continue;
    const subject = `host address ${formatAddr(hostIp)}, container port ${containerPort}/${protocol}`;
    const with6to4 = hostIp.family === 6 && own.includes(4) ? ', or create the network with -o proxy6to4=on' : '';
    if (isLoopback6) {
      throw fault.invalidConfig('ports', subject, NOT_FROM_LOOPBACK6, `Publish it on 127.0.0.1${with6to4}`);
    }
    throw fault.invalidConfig(
      'ports',
      subject,
      `the container has no IPv${hostIp.family} address on this network`,
      `Publish it on an address of the other family, or give the network addresses of this one${with6to4}`,
    );
  }
}
