import { type Addr, formatAddr } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';

const PREFIX = 'com.docker.network';

/** IANA's protocol numbers. */
const NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A container's port on the host. */
export interface RemotePort {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** Absent: every address. */
  readonly hostIp?: Addr;
  readonly hostPort: number;
}

/** Options of CreateNetwork. `enableIpv4` absent: not sent, since some plugins reject what they do not know. */
export function networkOptions(network: {
  readonly options: Readonly<Record<string, string>>;
  readonly ipv6: boolean;
  readonly internal?: boolean;
  readonly enableIpv4?: boolean;
}): Readonly<Record<string, unknown>> {
  const { options, ipv6, internal = false, enableIpv4 } = network;
  return {
    ...(enableIpv4 === undefined ? {} : { [`${PREFIX}.enable_ipv4`]: enableIpv4 }),
    [`${PREFIX}.enable_ipv6`]: ipv6,
    [`${PREFIX}.generic`]: options,
    ...(internal ? { [`${PREFIX}.internal`]: true } : {}),
  };
}

/** Options of CreateEndpoint, Join and ProgramExternalConnectivity, as dockerd sends them. */
export function portOptions(ports: readonly RemotePort[]): Readonly<Record<string, unknown>> {
  const exposed = new Map(
    ports.map(({ protocol, containerPort }) => [
      `${protocol} ${containerPort}`,
      { Proto: NUMBERS[protocol], Port: containerPort },
    ]),
  );
  return {
    [`${PREFIX}.endpoint.exposedports`]: Array.from(exposed.values()),
    [`${PREFIX}.portmap`]: ports.map(({ protocol, containerPort, hostIp, hostPort }) => ({
      Proto: NUMBERS[protocol],
      IP: '',
      Port: containerPort,
      HostIP: hostIp === undefined ? '' : formatAddr(hostIp),
      HostPort: hostPort,
      HostPortEnd: hostPort,
    })),
  };
}

/** Option of CreateEndpoint for a requested MAC: Go writes bytes as base64. */
export function macOption(mac: string): Readonly<Record<string, string>> {
  return { [`${PREFIX}.endpoint.macaddress`]: Buffer.from(mac.replaceAll(':', ''), 'hex').toString('base64') };
}

/** Option of RequestAddress for a plugin that requires it. */
export function macForAddress(mac: string): Readonly<Record<string, string>> {
  return { [`${PREFIX}.endpoint.macaddress`]: mac };
}
