import { type Addr, formatAddr } from '../../../../src/shared/model/addr.ts';
import type { PortSpan, Protocol } from '../../../../src/shared/model/firewall.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { isObject } from '../../../../src/shared/model/json.ts';
import { asAddr, asInteger, asList, optionPart, type Part, part, refusal } from './messages-fields.ts';

/** A container's port to publish, or a span of ports on fixed host ports. */
export interface PortMapRequest extends PortSpan {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** `0.0.0.0` and `::` mean every address of their family; absent: every address of both. */
  readonly hostIp?: Addr;
  /** 0: any free port. */
  readonly hostPort: number;
  /** The last port of a range that starts at `hostPort`; the first free one is used. */
  readonly hostPortEnd: number;
}

export interface EndpointPorts {
  readonly portMap: readonly PortMapRequest[];
  /** True: another endpoint of the container carries its IPv6, so nothing is to be relayed to its IPv4 address. */
  readonly noProxy6to4?: true;
}

const PORT_MAP = 'com.docker.network.portmap';
const NO_PROXY_6TO4 = 'com.docker.network.driver.private.no_proxy_6to4';

const MAX_PORT = 65_535;
/** As many as a protocol has. */
const MAX_PORTS = 65_535;
/** What one container publishes is compared pairwise, so single ports and spans together are limited. */
const MAX_SPANS = 1024;
/** Ports of a span whose host ports are not the container's: the packet filter needs an element for each. */
const MAX_SHIFTED = 1024;

/** IANA's protocol numbers. */
const PROTOCOLS: ReadonlyMap<unknown, Protocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

/** The ports in an endpoint's options, in any order; consecutive ones as spans, each port once. */
export function portsOf(options: Part): EndpointPorts {
  const published = optionPart(options, PORT_MAP);
  const { value } = published;
  const list: readonly unknown[] = Array.isArray(value) ? value : asList(published);
  const refuseMany = (count: number, what: string, limit: number) =>
    refusal({ path: `${published.path}.length`, value: count }, what, `Publish ${limit} at most`);
  if (list.length > MAX_PORTS) throw refuseMany(list.length, 'these are too many ports', MAX_PORTS);
  const path = (i: number): string => `${published.path}[${i}]`;
  const portMap = spansOf(list.map((item, i) => usualRequest(item) ?? portMapRequest({ path: path(i), value: item })));
  if (portMap.length > MAX_SPANS) {
    throw refuseMany(portMap.length, 'these are too many ports that are not consecutive', MAX_SPANS);
  }
  const { value: noProxy } = optionPart(options, NO_PROXY_6TO4);
  return { portMap, ...(noProxy === true || noProxy === 'true' ? { noProxy6to4: true } : {}) };
}

/** Joins requests of consecutive fixed host ports for consecutive container ports. Drops repeated ones. */
function spansOf(ports: readonly PortMapRequest[]): PortMapRequest[] {
  const isFixed = ({ hostPort, hostPortEnd }: PortMapRequest): boolean => hostPort > 0 && hostPortEnd === hostPort;
  const lines = new Map<string, PortMapRequest[]>();
  const others: PortMapRequest[] = [];
  for (const port of ports) {
    const key = `${port.protocol} ${port.hostIp && formatAddr(port.hostIp)} ${port.containerPort - port.hostPort}`;
    const line = lines.get(key);
    if (!isFixed(port)) others.push(port);
    else if (line === undefined) lines.set(key, [port]);
    else line.push(port);
  }
  return [...others, ...lines.values().flatMap((line) => runsOf(line.toSorted((a, b) => a.hostPort - b.hostPort)))];
}

/** The runs of requests that differ in their ports only, in their order. */
function runsOf(line: readonly PortMapRequest[]): PortMapRequest[] {
  const runs: PortMapRequest[] = [];
  for (let at = 0; at < line.length; ) {
    const first = line[at] as PortMapRequest;
    const limit = first.hostPort === first.containerPort ? MAX_PORTS : MAX_SHIFTED;
    let last = first.hostPort;
    for (at++; at < line.length; at++) {
      const { hostPort = 0 } = line[at] ?? {};
      if (hostPort > last + 1 || hostPort - first.hostPort >= limit) break;
      last = hostPort;
    }
    const count = last - first.hostPort + 1;
    runs.push({ ...first, ...given({ count: count > 1 ? count : undefined }) });
  }
  return runs;
}

/** An item as dockerd sends most, on no special address: 65,535 of them must not hold the daemon up. */
function usualRequest(item: unknown): PortMapRequest | undefined {
  if (!isObject(item) || (item.HostIP ?? '') !== '') return undefined;
  const { Proto, Port, HostPort, HostPortEnd } = item;
  const protocol = PROTOCOLS.get(Proto);
  const isUsual = protocol !== undefined && HostPort === HostPortEnd && isPort(HostPort) && isPort(Port);
  return isUsual ? { protocol, containerPort: Port, hostPort: HostPort, hostPortEnd: HostPort } : undefined;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PORT;
}

function portMapRequest(item: Part): PortMapRequest {
  const hostIp = asAddr(part(item, 'HostIP'));
  const hostPort = asInteger(part(item, 'HostPort'), 0, MAX_PORT, 0);
  const end = asInteger(part(item, 'HostPortEnd'), 0, MAX_PORT, 0);
  const hostPortEnd = end === 0 ? hostPort : end;
  if (hostPortEnd < hostPort)
    throw refusal(part(item, 'HostPortEnd'), `it is less than HostPort, ${hostPort}`, 'Ranges go upwards');
  return {
    protocol: protocolOf(item),
    containerPort: asInteger(part(item, 'Port'), 1, MAX_PORT),
    ...given({ hostIp }),
    ...{ hostPort, hostPortEnd },
  };
}

function protocolOf(item: Part): Protocol {
  const proto = part(item, 'Proto');
  const found = PROTOCOLS.get(proto.value);
  if (found !== undefined) return found;
  throw refusal(proto, 'it is not a protocol with ports', 'Give 6 (TCP), 17 (UDP) or 132 (SCTP)');
}
