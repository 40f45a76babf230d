import { visible } from '../model/visible.ts';

/** A line and what hangs below it. */
export interface Branch {
  readonly text: string;
  readonly below?: readonly Branch[];
}

/** Formats branches as a tree, like `tree` and `lsblk`; ends with a line break. */
export function formatTree({ text, below = [] }: Branch): string {
  return [visible(text), ...below.flatMap((one, i) => linesOf(one, i === below.length - 1))].join('\n').concat('\n');
}

function linesOf({ text, below = [] }: Branch, isLast: boolean): string[] {
  const [fork, rail] = isLast ? ['└─ ', '   '] : ['├─ ', '│  '];
  const under = below.flatMap((one, i) => linesOf(one, i === below.length - 1));
  return [`${fork}${visible(text)}`, ...under.map((line) => `${rail}${line}`)];
}
