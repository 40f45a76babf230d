import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';

/** CNI_ARGS as key and value pairs. */
export type CniArgs = ReadonlyMap<string, string>;

/** Known keys; every plugin name accepts MAC, so that a delegated host-local does not refuse it. */
const KNOWN = ['IP', 'MAC', 'GATEWAY', 'IgnoreUnknown'];

/**
 * Parses the pairs of `K=V;K=V`. Throws NetError `bad-environment` for a part without `=`, and for an unknown key
 * unless `IgnoreUnknown` is 1 or true.
 */
export function parseCniArgs(text: string): CniArgs {
  const pairs = new Map<string, string>();
  for (const piece of text.split(';').filter((part) => part !== '')) {
    const equals = piece.indexOf('=');
    if (equals <= 0) {
      throw bad(text, `"${piece}" is no key=value pair`, 'Write CNI_ARGS as KEY=VALUE;KEY=VALUE');
    }
    pairs.set(piece.slice(0, equals), piece.slice(equals + 1));
  }
  const unknown = [...pairs.keys()].filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0 && !ignoresUnknown(pairs)) {
    throw bad(text, `unknown args ${unknown.join(', ')}`, `Known are ${KNOWN.join(', ')}; or add IgnoreUnknown=1`);
  }
  return pairs;
}

/** Removes a key that has been handled, for a delegate that may not know it. */
export function withoutArg(text: string, key: string): string {
  return text
    .split(';')
    .filter((piece) => !piece.startsWith(`${key}=`))
    .join(';');
}

function ignoresUnknown(pairs: CniArgs): boolean {
  return /^(1|true)$/i.test(pairs.get('IgnoreUnknown') ?? '');
}

function bad(text: string, what: string, hint: string): NetError {
  return fault.badEnvironment('environment', `CNI_ARGS=${text}`, what, hint);
}
