import { type Family, formatAddr } from '../model/addr.ts';
import { type PortSpan, type Protocol, sharePorts } from '../model/firewall.ts';
import { field, textField } from '../model/json.ts';
import { invalid } from './invalid.ts';
import { readAddr } from './ipam-values.ts';
import { LIMITS } from './limits.ts';

/** A host port that leads to a port of the pod, or a span of such ports. */
export interface PortMapping extends PortSpan {
  readonly protocol: Protocol;
  readonly hostPort: number;
  readonly containerPort: number;
  /** One address of the host; absent: all. */
  readonly hostIp?: string;
  /** Restricts the port to the family of the given address (`0.0.0.0`, `::`, or a specific one). */
  readonly family?: Family;
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const PATH = '.runtimeConfig.portMappings';

/**
 * Parses the `portMappings` capability, regardless of the case of keys. The protocol defaults to tcp. Throws NetError
 * `invalid-config`, naming path, value and rule, also for two mappings of one host port.
 */
export function parsePortMappings(value: unknown): PortMapping[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(PATH, value, 'it is not a list', 'Write [{ "hostPort": 8080, … }]');
  if (value.length > LIMITS.ports) {
    throw invalid(PATH, value.length, `there are more than ${LIMITS.ports} mappings`, 'Publish fewer ports');
  }
  const found = value.map((item: unknown, i) => parseMapping(item, `${PATH}[${i}]`));
  assertDistinct(found, value);
  return found;
}

function parseMapping(item: unknown, path: string): PortMapping {
  const protocol = (text(item, 'protocol', path) ?? 'tcp').toLowerCase();
  const known = PROTOCOLS.find((name) => name === protocol);
  if (known === undefined) {
    throw invalid(
      `${path}.protocol`,
      field(item, 'protocol'),
      'it is not a protocol with ports',
      'Use tcp, udp or sctp',
    );
  }
  const [hostPort, containerPort] = ['hostPort', 'containerPort'].map((key) => parsePort(item, key, path));
  const address = text(item, 'hostIP', path);
  const base = { protocol: known, hostPort: hostPort ?? 0, containerPort: containerPort ?? 0 };
  if (address === undefined) return base;
  const addr = readAddr(address, `${path}.hostIP`);
  return addr.value === 0n
    ? { ...base, family: addr.family }
    : { ...base, family: addr.family, hostIp: formatAddr(addr) };
}

function text(item: unknown, key: string, path: string): string | undefined {
  const value = field(item, key);
  if (value === undefined || typeof value === 'string') return textField(item, key);
  throw invalid(`${path}.${key}`, value, 'it is not a string', 'Put it in quotation marks, or remove it');
}

function parsePort(item: unknown, key: string, path: string): number {
  const port = field(item, key);
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  const what = port === undefined ? 'it is missing' : 'it is not a port';
  throw invalid(`${path}.${key}`, port, what, 'Give a whole number from 1 to 65535');
}

function assertDistinct(mappings: readonly PortMapping[], given: readonly unknown[]): void {
  const taken = new Map<string, number>();
  for (const [i, { protocol, hostPort, hostIp, family }] of mappings.entries()) {
    const families: readonly Family[] = family === undefined ? [4, 6] : [family];
    const key = (what: string | number): string => `${protocol} ${hostPort} ${what}`;
    // All addresses of a family meet each of its addresses; an address meets itself and all.
    const own = families.map((one) => key(hostIp ?? `all of ${one}`));
    const others = families.map((one) => key(hostIp === undefined ? `any of ${one}` : `all of ${one}`));
    const j = [...own, ...others].map((one) => taken.get(one)).find((at) => at !== undefined);
    if (j !== undefined)
      throw invalid(`${PATH}[${i}]`, given[i], `it takes the same host port as [${j}]`, 'Publish each host port once');
    for (const one of [...own, ...families.map((each) => key(`any of ${each}`))]) taken.set(one, i);
  }
}

/** Returns true if both would use one port of one host address. */
export function meet(a: PortMapping, b: PortMapping): boolean {
  if (a.protocol !== b.protocol || !sharePorts(a, b)) return false;
  if (a.family !== undefined && b.family !== undefined && a.family !== b.family) return false;
  return a.hostIp === undefined || b.hostIp === undefined || a.hostIp === b.hostIp;
}
