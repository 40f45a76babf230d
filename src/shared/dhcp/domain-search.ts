import { malformed } from './message.ts';

/** RFC 1035 §4.1.4. */
const POINTER = 0xc0;
const LONGEST_NAME = 255;
/** As kubelet has it (MaxDNSSearchPaths): a pointer of two bytes may stand for a name of 255. */
const MOST_NAMES = 32;
/** What a resolver's configuration may hold as a name. */
const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;

/**
 * The names of option 119 (RFC 3397): labels as in DNS, with pointers back into the option. Leaves out names that are no
 * host names, a second one of the same name, and all after the 32nd. Throws NetError `io` if it is malformed.
 */
export function decodeDomainSearch(bytes: Uint8Array): string[] {
  const names = new Set<string>();
  for (let at = 0; at < bytes.length; ) {
    const { name, next } = readName(bytes, at);
    if (isDomain(name) && names.size < MOST_NAMES) names.add(name);
    at = next;
  }
  return [...names];
}

/** The first name of option 15; undefined if it is no host name. */
export function decodeDomain(bytes: Uint8Array): string | undefined {
  const [name = ''] = Buffer.from(bytes).toString('latin1').replaceAll('\0', ' ').trim().split(/\s+/);
  return isDomain(name) ? name : undefined;
}

function isDomain(name: string): boolean {
  return name.length <= LONGEST_NAME && NAME.test(name);
}

function readName(bytes: Uint8Array, from: number): { readonly name: string; readonly next: number } {
  const labels: string[] = [];
  let [at, next] = [from, -1];
  for (let length = 0; ; ) {
    const first = bytes[at];
    if (first === undefined) throw malformed('ends within a name of option 119');
    if (first === 0) return { name: labels.join('.'), next: next < 0 ? at + 1 : next };
    if ((first & POINTER) === POINTER) {
      const target = ((first & ~POINTER) << 8) | (bytes[at + 1] ?? 0xff);
      if (next < 0) next = at + 2;
      // Only backwards, so that it ends.
      if (target >= at) throw malformed('has a name in option 119 that points forward');
      at = target;
      continue;
    }
    const label = bytes.subarray(at + 1, at + 1 + first);
    length += first + 1;
    if ((first & POINTER) !== 0 || label.length < first || length > LONGEST_NAME)
      throw malformed('has a malformed name in option 119');
    labels.push(Buffer.from(label).toString('latin1'));
    at += first + 1;
  }
}
