import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, BITS, formatAddr, parseAddr } from '../model/addr.ts';
import { contains, formatPrefix, networkOf, overlaps, type Prefix, parsePrefix } from '../model/prefix.ts';
import { invalid, show } from './invalid.ts';

/** An external string and its source: `.args.cni.ips[0]`, `CNI_ARGS IP`. */
export interface Given {
  readonly text: string;
  readonly path: string;
}

/** Throws NetError `invalid-config` if the string is not an IP address. */
export function readAddr(text: string, path: string): Addr {
  const addr = parseAddr(text);
  if (addr === undefined) throw wrong(path, text, 'it is not an IP address', 'Write it as 10.88.0.2 or fd00::2');
  return addr;
}

/** Blocks that no interface has an address of, and their names. */
const UNASSIGNABLE = (
  [
    ['0.0.0.0/8', 'unspecified'],
    ['127.0.0.0/8', 'loopback'],
    ['224.0.0.0/4', 'multicast'],
    ['255.255.255.255/32', 'broadcast'],
    ['::/128', 'unspecified'],
    ['::1/128', 'loopback'],
    ['::ffff:0:0/96', 'IPv4-mapped'],
    ['ff00::/8', 'multicast'],
  ] as const
).flatMap(([text, name]) => {
  const block = parsePrefix(text);
  return block === undefined ? [] : [{ block, name, text }];
});

/** Why no interface can have an address of the prefix; undefined if one can. */
export function unassignable(prefix: Prefix): string | undefined {
  const found = UNASSIGNABLE.find(({ block }) => overlaps(block, prefix));
  if (found === undefined) return undefined;
  const { block, name, text } = found;
  return contains(block, prefix.addr) ? `it is ${name} (${text})` : `it contains ${name} addresses (${text})`;
}

/** Throws NetError `invalid-config` for a pool that holds addresses which no interface can have. */
export function assertAssignable(prefix: Prefix, path: string): void {
  const what = unassignable(prefix);
  if (what === undefined) return;
  throw wrong(path, formatPrefix(prefix), what, 'Give addresses of hosts: 10.88.0.0/16 or fd00:88::/64');
}

/** Throws NetError `invalid-config` also for an address that no interface can have, such as a group's. */
export function readHostAddr(text: string, path: string): Addr {
  const addr = readAddr(text, path);
  const what = unassignable({ addr, length: BITS[addr.family] });
  if (what !== undefined) throw wrong(path, text, what, 'Give the address of a host: 10.88.0.1 or fd00:88::1');
  return addr;
}

/** An address with its subnet's prefix length. */
export function readPrefix(text: string, path: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    throw wrong(path, text, 'it is not an address with a prefix length', 'Write it as 10.88.0.2/16 or fd00::2/64');
  return prefix;
}

/** A network: no host bits. */
export function readSubnet(text: string, path: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    throw wrong(path, text, 'it is not a network with a prefix length', 'Write it as 10.88.0.0/16 or fd00::/64');
  const network = formatPrefix(networkOf(prefix));
  if (formatPrefix(prefix) !== network)
    throw wrong(path, text, 'host bits are set', `Write ${network}, the network it is in`);
  return prefix;
}

/** Parses comma-separated lists to canonical addresses, each with its source; drops prefix lengths. */
export function readRequested(given: readonly Given[]): ReadonlyMap<string, { addr: Addr; subject: string }> {
  const found = new Map<string, { addr: Addr; subject: string }>();
  for (const { text, path } of splitCommas(given)) {
    const addr = parsePrefix(text)?.addr ?? readAddr(text, path);
    found.set(formatAddr(addr), { addr, subject: `${path}=${show(text)}` });
  }
  return found;
}

export function splitCommas(given: readonly Given[]): Given[] {
  return given.flatMap(({ text, path }) =>
    text
      .split(',')
      .map((part) => ({ text: part.trim(), path }))
      .filter((part) => part.text !== ''),
  );
}

/** CNI has a separate error code for values from the environment. */
function wrong(path: string, value: string, what: string, hint: string): NetError {
  if (!path.startsWith('CNI_ARGS')) return invalid(path, value, what, hint);
  return fault.badEnvironment('environment', `${path}=${show(value)}`, what, hint);
}
