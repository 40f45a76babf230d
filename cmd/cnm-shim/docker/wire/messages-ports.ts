import type { Addr } from '../../../../src/shared/model/addr.ts';
import type { Protocol } from '../../../../src/shared/model/firewall.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { asAddr, asInteger, asList, optionPart, type Part, part, refusal } from './messages-fields.ts';

/** A container's port to publish. */
export interface PortMapRequest {
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

function portMapRequest(asked: Part): PortMapRequest {
  const hostIp = asAddr(part(asked, 'HostIP'));
  const hostPort = asInteger(part(asked, 'HostPort'), 0, MAX_PORT, 0);
  const end = asInteger(part(asked, 'HostPortEnd'), 0, MAX_PORT, 0);
  const hostPortEnd = end === 0 ? hostPort : end;
  if (hostPortEnd < hostPort)
    throw refusal(part(asked, 'HostPortEnd'), `it is less than HostPort, ${hostPort}`, 'Ranges go upwards');
  return {
    protocol: protocolOf(asked),
    containerPort: asInteger(part(asked, 'Port'), 1, MAX_PORT),
    ...given({ hostIp }),
    ...{ hostPort, hostPortEnd },
  };
}

function protocolOf(asked: Part): Protocol {
  const proto = part(asked, 'Proto');
  const found = PROTOCOLS.get(proto.value);
  if (found !== undefined) return found;
  throw refusal(proto, 'it is not a protocol with ports', 'Give 6 (TCP), 17 (UDP) or 132 (SCTP)');
}
