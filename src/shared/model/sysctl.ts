/**
 * The path below /proc/sys of a key. A key with a slash is a path already; in any other, dots become slashes
 * (`net.ipv4.ip_forward`). Undefined for keys outside net/, or with a path that leaves it.
 */
export function sysctlPath(key: string): string | undefined {
  const path = key.includes('/') ? key : key.replaceAll('.', '/');
  const parts = path.split('/');
  const clean = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\0\s]/.test(part));
  return clean && parts[0] === 'net' && parts.length > 2 ? path : undefined;
}
