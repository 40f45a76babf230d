import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountOf, assertServed, prepareRunDir, startDaemon, type TestDaemon } from './daemon.ts';

/** The daemon of a test's host. Disposed of, it has ended, and no call that should have been its has gone past it. */
export interface HostDaemon extends Disposable {
  readonly runDir: string;
  /** It runs, and has been ready. */
  serve(): TestDaemon;
  /** It has been killed; the next `serve` starts another one. Until then calls may go past it. */
  kill(): void;
  /** One call more that may go past it. */
  excuse(): void;
  /** One call more that has succeeded. */
  succeeded(): void;
  /** Calls that it has carried out so far. */
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
  prepareRunDir(runDir);
  return {
    runDir,
    serve: () => {
      running ??= startDaemon({ netns, runDir, stateDir: join(root, 'state'), log });
      return running;
    },
    kill: () => {
      killed = true;
      running?.kill();
      running = undefined;
    },
    excuse: () => {
      excused++;
    },
    succeeded: () => {
      succeeded++;
    },
    served: () => accountOf(log, runDir).served,
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
