import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, type NetError } from '../../../src/shared/errors/net-error.ts';
import { writeAll } from '../../../src/shared/runtime/cni/respond.ts';

const STDOUT = 1;

let failure: NetError | undefined;

/**
 * Writes the whole text to stdout. Returns false if that fails: a verb that prints again and again ends then, and one
 * that changes something completes it. `outputFailure` tells why.
 */
export function writeOut(text: string | Uint8Array): boolean {
  return writeAll(STDOUT, text, (cause) => {
    const remedy = hasCode(cause, ['ENOSPC', 'EDQUOT']) ? 'Free some space' : 'Write it elsewhere';
    failure ??= fault.io('output', 'stdout', 'it cannot be written: what it has is incomplete', remedy, {
      reason: cause.message,
      cause,
    });
  });
}

/** NetError `io` if something that was printed has not arrived; undefined also if the reader has closed the pipe. */
export function outputFailure(): NetError | undefined {
  return failure;
}
