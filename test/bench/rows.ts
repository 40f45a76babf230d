import { milliseconds } from './stats.ts';

/** One row of a table: a measurement with its unit, and its limit. */
export interface Row {
  readonly work: string;
  readonly measured: string;
  /** The ratio of the measurement to its comparison; empty if the limit is not a ratio. */
  readonly ratio: string;
  /** Empty without a limit. */
  readonly limit: string;
  readonly met: boolean;
}

/** Ratio of ours to the other's; without a limit it is only printed. */
export function compared(work: string, own: number, other: number, limit?: number): Row {
  return {
    work,
    measured: `${milliseconds(own)} : ${milliseconds(other)} ms`,
    ratio: share(own / other),
    limit: limit === undefined ? '' : share(limit),
    met: limit === undefined || own / other <= limit,
  };
}

/** Without a limit it is only printed. */
export function atMost(work: string, value: number, limit: number | undefined, unit: 'ms' | 'MB'): Row {
  const measured = `${unit === 'ms' ? milliseconds(value) : value.toFixed(1)} ${unit}`;
  if (limit === undefined) return { work, measured, ratio: '', limit: '', met: true };
  return { work, measured, ratio: '', limit: `${Number(limit.toFixed(2))} ${unit}`, met: value <= limit };
}

/** A number of things, a fraction where it is a mean. */
export function countAtMost(work: string, value: number, limit: number): Row {
  const measured = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return { work, measured, ratio: '', limit: String(limit), met: value <= limit };
}

export function atLeast(work: string, rate: number, limit: number): Row {
  return { work, measured: `${rate.toFixed(0)}/s`, ratio: '', limit: `${limit}/s`, met: rate >= limit };
}

/** Whether the limit was met, with the given word for a miss; empty without a limit. */
export function verdict({ limit, met }: Row, missed: string): string {
  if (limit === '') return '';
  return met ? 'yes' : missed;
}

/** Cells as a Markdown table; the first row is the header. */
export function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function share(ratio: number): string {
  if (ratio >= 0.5) return `${ratio.toFixed(2)}×`;
  return Number.isInteger(1 / ratio) ? `1/${1 / ratio}` : `1/${(1 / ratio).toFixed(1)}`;
}
