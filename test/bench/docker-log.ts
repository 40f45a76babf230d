import { readFileSync, statSync } from 'node:fs';

/** One call that our daemon has answered, as its log tells. */
export interface Handled {
  /** Where its line begins in the log. */
  readonly at: number;
  /** `NetworkDriver.Join`. */
  readonly method: string;
  /** What the log says of its end: `ok` or `error`. */
  readonly result: string;
  /** From the first byte read to the answer. */
  readonly ms: number;
  /** Where the time went: milliseconds by phase. */
  readonly phases: Readonly<Record<string, number>>;
}

/** The daemon writes a call's line before it answers: whatever is answered has its line before this place. */
export function placeIn(log: string): number {
  return statSync(log).size;
}

/** All calls that dockerd has made, in the order of their answers. */
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
