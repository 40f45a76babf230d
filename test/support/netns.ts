import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { CLONE_NEWNET } from '../../src/shared/netlink/constants.ts';
import { setns } from '../../src/shared/netlink/sys.ts';
import { runProgram } from './spawn.ts';

/** A network namespace made for a test. Removed with `using`, or by `removeNetns`. */
export interface TestNetns extends Disposable {
  readonly name: string;
  /** `/run/netns/<name>`. */
  readonly path: string;
  /** The output of `ip -n <name> <args>`; throws with its stderr. */
  ip(...args: readonly string[]): string;
  /** The output of a command inside the namespace; throws with its stderr. */
  run(file: string, ...args: readonly string[]): string;
}

/** Why network namespaces cannot be made here, or undefined where they can. */
export function netnsMissing(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'network namespaces need root';
}

/** A new network namespace named `isth-<label><random>`, with `lo` down as the kernel makes it. */
export function makeNetns(label = ''): TestNetns {
  const name = `isth-${label}${randomBytes(4).toString('hex')}`;
  runProgram('ip', ['netns', 'add', name]);
  return {
    name,
    path: `/run/netns/${name}`,
    ip: (...args) => runProgram('ip', ['-n', name, ...args]),
    run: (file, ...args) => runProgram('ip', ['netns', 'exec', name, file, ...args]),
    [Symbol.dispose]: () => removeNetns(name),
  };
}

/** Moves this process and the children that it starts into the namespace, until the result is disposed of. */
export function enterNetns(path: string): Disposable {
  const [home, fd] = [openSync('/proc/self/ns/net', 'r'), openSync(path, 'r')];
  setns(fd, CLONE_NEWNET);
  closeSync(fd);
  return {
    [Symbol.dispose]: () => {
      setns(home, CLONE_NEWNET);
      closeSync(home);
    },
  };
}

/** Deletes the namespace; a missing one is not an error. */
export function removeNetns(name: string): void {
  try {
    runProgram('ip', ['netns', 'delete', name]);
  } catch (error) {
    if (!String(error).includes('No such file')) throw error;
  }
}

/** Runs `work` with `count` new namespaces and removes them, whatever happens. */
export function withNetns<T>(count: number, work: (...namespaces: TestNetns[]) => T): T {
  const made: TestNetns[] = [];
  let pending = false;
  const removeAll = (): void => {
    for (const ns of made) ns[Symbol.dispose]();
  };
  try {
    for (let i = 0; i < count; i++) made.push(makeNetns());
    const result = work(...made);
    if (result instanceof Promise) {
      pending = true;
      return result.finally(removeAll) as T;
    }
    return result;
  } finally {
    if (!pending) removeAll();
  }
}
