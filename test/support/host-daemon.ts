import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountOf, assertServed, prepareRunDir, startDaemon, type TestDaemon } from './daemon.ts';

/** The daemon of a test's host. Dispose stops it, and throws if a call bypassed it. */
export interface HostDaemon extends Disposable {
  readonly runDir: string;
  /** Ensures that it serves, unless it was killed. */
  serve(): void;
  /** Kills it; calls may bypass it from now on. */
  kill(): void;
  /** Another one serves. */
  restart(): void;
  /** One call more that may go past it. */
  excuse(): void;
  /** One call more that has succeeded. */
  succeeded(): void;
  /** Calls so far that it has carried out, or was too busy for. */
  served(): number;
}

/** A daemon for the network namespace at `netns`, with its directories in `root`; it is started when first needed. */
export function makeHostDaemon(netns: string, root: string): HostDaemon {
  const runDir = join(root, 'run');
  const log = join(root, 'daemon.log');
  let running: TestDaemon | undefined;
  let killed = false;
  let excused = 0;
  let succeeded = 0;
  const start = (): void => {
    running ??= startDaemon({ netns, runDir, stateDir: join(root, 'state'), log });
  };
  prepareRunDir(runDir);
  return {
    runDir,
    serve: () => {
      if (!killed) start();
    },
    kill: () => {
      killed = true;
      running?.kill();
      running = undefined;
    },
    restart: start,
    excuse: () => {
      excused++;
    },
    succeeded: () => {
      succeeded++;
    },
    served: () => {
      const { served, late } = accountOf(log, runDir);
      return served + late;
    },
    [Symbol.dispose]: () => {
      try {
        running?.end();
      } finally {
        if (process.env.ISTHMUS_TEST_LOG !== undefined) console.log(readFileSync(log, 'utf8'));
      }
      if (!killed) assertServed(accountOf(log, runDir), succeeded, excused);
    },
  };
}
