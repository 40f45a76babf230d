import { formatAddr } from '../../../../src/shared/model/addr.ts';
import type { Protocol } from '../../../../src/shared/model/firewall.ts';
import { asAddr, asInteger, asList, optionPart, type Part, part, refusal } from './messages-fields.ts';

/** A container's port to publish. */
export interface PortMapRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** `0.0.0.0` and `::` mean every address of their family; absent: every address of both. */
  readonly hostIp?: string;
  /** 0: any free port. */
  readonly hostPort: number;
  /** The last port of a range that starts at `hostPort`; the first free one is used. */
  readonly hostPortEnd: number;
}

export interface EndpointPorts {
  readonly portMap: readonly PortMapRequest[];
}

const PORT_MAP = 'com.docker.network.portmap';

const MAX_PORTS = 1024;
const MAX_PORT = 65_535;

/** IANA's protocol numbers. */
const PROTOCOLS: ReadonlyMap<unknown, Protocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

/** The ports in an endpoint's options, in any order. */
export function portsOf(options: Part): EndpointPorts {
  const published = optionPart(options, PORT_MAP);
  const list = asList(published);
  if (list.length > MAX_PORTS) {
    const counted = { path: `${published.path}.length`, value: list.length };
    throw refusal(counted, 'these are too many ports', `Publish ${MAX_PORTS} at most`);
  }
  return { portMap: list.map(portMapRequest) };
}

function portMapRequest(given: Part): PortMapRequest {
  const hostIp = asAddr(part(given, 'HostIP'));
  const hostPort = asInteger(part(given, 'HostPort'), 0, MAX_PORT, 0);
  const end = asInteger(part(given, 'HostPortEnd'), 0, MAX_PORT, 0);
  const hostPortEnd = end === 0 ? hostPort : end;
  if (hostPortEnd < hostPort)
    throw refusal(part(given, 'HostPortEnd'), `it is less than HostPort, ${hostPort}`, 'Ranges go upwards');
  return {
    protocol: protocolOf(given),
    containerPort: asInteger(part(given, 'Port'), 1, MAX_PORT),
    ...(hostIp === undefined ? {} : { hostIp: formatAddr(hostIp) }),
    ...{ hostPort, hostPortEnd },
  };
}

function protocolOf(given: Part): Protocol {
  const proto = part(given, 'Proto');
  const found = PROTOCOLS.get(proto.value);
  if (found !== undefined) return found;
  throw refusal(proto, 'it is not a protocol with ports', 'Give 6 (TCP), 17 (UDP) or 132 (SCTP)');
}
