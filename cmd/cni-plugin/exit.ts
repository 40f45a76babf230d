import { NEWEST } from '../../src/shared/config/versions.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { formatError, writeAll } from '../../src/shared/runtime/cni/respond.ts';

/**
 * Exits with the code that `main` returns. If `main` waits for something that never comes, prints a CNI error and exits
 * with 1: Node would exit with 0, and the caller would take the silence for success.
 */
export function exitAfter(main: () => Promise<number>, command: string | undefined): void {
  process.once('exit', lost);
  main().then((code) => {
    process.off('exit', lost);
    process.exit(code);
  });

  function lost(code: number): void {
    // An error that Node has printed.
    if (code !== 0) return;
    const what = 'the call ended without an answer; what it did is unknown';
    writeAll(1, formatError(fault.internal(command ?? 'call', 'process', what), NEWEST));
    process.exitCode = 1;
  }
}
