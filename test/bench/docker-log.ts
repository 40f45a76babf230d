import { readFileSync, statSync } from 'node:fs';

/** One call that our daemon has answered, from its log. */
export interface Handled {
  /** The offset of its line in the log. */
  readonly at: number;
  /** `NetworkDriver.Join`. */
  readonly method: string;
  /** Its result in the log: `ok` or `error`. */
  readonly result: string;
  /** From the first byte read to the answer. */
  readonly ms: number;
  /** Milliseconds by phase. */
  readonly phases: Readonly<Record<string, number>>;
}

/** The daemon logs a call before it answers: the line of every answered call lies before this offset. */
export function placeIn(log: string): number {
  return statSync(log).size;
}

/** All calls of dockerd, in the order of their answers. */
export function handledCalls(log: string): Handled[] {
  let at = 0;
  return readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const begin = at;
      at += Buffer.byteLength(line) + 1;
      return parseLine(line, begin) ?? [];
    });
}

function parseLine(line: string, at: number): Handled | undefined {
  const method = / event=((?:NetworkDriver|IpamDriver)\.\w+) /.exec(line)?.[1];
  const result = / result=(\w+) /.exec(line)?.[1];
  const ms = / ms=([\d.]+)/.exec(line)?.[1];
  if (method === undefined || result === undefined || ms === undefined) return undefined;
  const phases = [...line.matchAll(/ (\w+)_ms=([\d.]+)/g)].map(
    ([, phase = '', time]) => [phase, Number(time)] as const,
  );
  return { at, method, result, ms: Number(ms), phases: Object.fromEntries(phases) };
}
