/** Bytes of a name: IFNAMSIZ - 1, linux/if.h. */
export const MAX_IFNAME = 15;

/** Directories, and the two that stand for all interfaces below /proc/sys/net/ipv4/conf. */
const RESERVED: readonly string[] = ['.', '..', 'all', 'default'];

/**
 * Why no interface can or should have this name; undefined if one can. `%` makes the kernel choose a number, `*` and a
 * last `+` stand for every name that begins so (nft, iptables), a first `-` or `!` is read as an option.
 */
export function ifNameFault(name: string, longest = MAX_IFNAME): string | undefined {
  if (name === '') return 'is empty';
  if (Buffer.byteLength(name) > longest) return `is longer than ${longest} bytes, the kernel's limit`;
  if (RESERVED.includes(name)) return 'is a reserved name, which no interface can have';
  if (/[\p{C}\p{Z}\p{M}]/u.test(name))
    return 'has white space, a control or an invisible character, which no interface name can have';
  const found = /[/:%"*]|^[-!]|\+$/.exec(name)?.[0];
  return found === undefined ? undefined : `has ${found} where no interface name can have it`;
}
