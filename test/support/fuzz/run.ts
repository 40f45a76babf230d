import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import type { CniHost } from '../cni-host.ts';
import { COMPILE_CACHE } from '../compile-cache.ts';

/** Milliseconds of each fuzzer: ten seconds, or as ISTHMUS_FUZZ_SECONDS says. */
export const FUZZ_MS = Number(process.env.ISTHMUS_FUZZ_SECONDS ?? 10) * 1000;
/** A seed that repeats a run; another one each time by default, printed with a failure. */
export const FUZZ_SEED = Number(process.env.ISTHMUS_FUZZ_SEED ?? Date.now() % 2 ** 31);

/** Inputs of one round: no input is cut off at the end of the time. */
const ROUND = 20;

/** Checks the property until the time is over, and returns the number of inputs. Throws with the smallest failing input. */
export async function fuzz<T>(
  { ms, seed }: Pick<FuzzTask, 'ms' | 'seed'>,
  property: fc.IAsyncProperty<T> | fc.IProperty<T>,
): Promise<number> {
  const end = performance.now() + ms;
  let inputs = 0;
  while (performance.now() < end) {
    const done = await fc.check(property as fc.IAsyncProperty<T>, { numRuns: ROUND, seed: seed + inputs });
    if (done.failed) throw new Error(`${fc.defaultReportMessage(done)}\n${String(done.errorInstance)}`);
    inputs += done.numRuns;
  }
  return inputs;
}

/** Arguments of a child, as JSON in its first word. */
export interface FuzzTask {
  readonly what: string;
  readonly ms: number;
  readonly seed: number;
  readonly stateDir: string;
  readonly pod: string;
  /** A directory for executables of the test. */
  readonly path: string;
  readonly dataDir: string;
}

/** Runs a child of test/support/fuzz inside the host until it ends; throws with what it printed if it fails. */
export async function runChild(child: string, host: CniHost, path: string, what: string): Promise<string> {
  const { stateDir, dataDir } = host;
  const task: FuzzTask = { what, ms: FUZZ_MS, seed: FUZZ_SEED, stateDir, dataDir, pod: host.pod(0).path, path };
  const file = join(import.meta.dirname, `${child}.ts`);
  const words = [`--net=${host.ns.path}`, '--', process.execPath, '--no-warnings', file, JSON.stringify(task)];
  const running = spawn('nsenter', words, {
    env: { ...process.env, ...COMPILE_CACHE },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [running.stdout, running.stderr])
    stream.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
  const [code, signal] = await once(running, 'close');
  assert.equal(code ?? signal, 0, `seed ${FUZZ_SEED} (ISTHMUS_FUZZ_SEED repeats it): ${said}`);
  return said.trim();
}
