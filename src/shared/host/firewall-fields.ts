import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Family, parseAddr } from '../model/addr.ts';
import { parseMac } from '../model/mac.ts';
import { type Prefix, parsePrefix } from '../model/prefix.ts';

/** One field of an element's key, or of a map's address and port. */
export type Field =
  | { readonly type: 'addr'; readonly value: string }
  /** No host bits, in a set with intervals. */
  | { readonly type: 'prefix'; readonly value: string }
  | { readonly type: 'ifname'; readonly value: string }
  | { readonly type: 'mac'; readonly value: string }
  /** The bytes of an address as nft writes a number: `0x20010db8…`. */
  | { readonly type: 'bytes'; readonly value: string }
  | { readonly type: 'proto'; readonly value: 'tcp' | 'udp' | 'sctp' }
  | { readonly type: 'port'; readonly value: number }
  /** `8000-8010`, in a set with intervals. */
  | { readonly type: 'ports'; readonly value: string };

export function subnetOf(kind: string, word: string, text: string): { prefix: Prefix; family: Family; field: Field } {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw wrong(`${kind} ${word}`, text, 'a prefix like 10.88.0.0/16');
  return { prefix, family: prefix.addr.family, field: { type: 'prefix', value: text } };
}

/** Names that the kernel accepts and that need only quotes in nft's syntax. */
export function deviceOf({ kind, device }: { readonly kind: string; readonly device: string }): Field {
  if (!/^[^\s"/:*\\\0]{1,15}$/.test(device)) throw wrong(`${kind} device`, device, 'the name of an interface');
  return { type: 'ifname', value: device };
}

export function macOf(text: string): Field {
  if (parseMac(text) !== text) throw wrong('mac', text, 'a MAC like 0a:58:0a:58:00:02');
  return { type: 'mac', value: text };
}

export function addrOf(word: string, text: string, family: Family): Field {
  if (familyOf(word, text) !== family) throw wrong(word, text, `an IPv${family} address`);
  return { type: 'addr', value: text };
}

export function familyOf(word: string, text: string): Family {
  const addr = parseAddr(text);
  if (addr === undefined) throw wrong(word, text, 'an IP address');
  return addr.family;
}

export function portOf(word: string, value: number): Field {
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw wrong(word, String(value), 'a port, 1 to 65535');
  return { type: 'port', value };
}

/** The field of a span of ports, which has more than one. */
export function portsOf(word: string, first: number, count: number): Field {
  const [one, last] = [portOf(word, first), portOf(word, first + count - 1)];
  return { type: 'ports', value: `${one.value}-${last.value}` };
}

/** NetError `invalid-config` for a value that an entry cannot have. */
export function wrong(word: string, value: string, rule: string): NetError {
  return fault.invalidConfig('firewall', word, `${JSON.stringify(value)} is not ${rule}`);
}
