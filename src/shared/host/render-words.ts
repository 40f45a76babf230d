import { visible } from '../model/visible.ts';
/** Names for `ip -n` and `ip netns exec`. */
export interface RenderOptions {
  readonly sandbox: string;
  /** Name or process id of the host's namespace, used when a sandbox's link refers to it; default `1`, PID 1's. */
  readonly host?: string;
}

export type Word = string | number | false | undefined;

/** Joins words and skips absent ones; quotes for a POSIX shell where necessary. */
export function line(...words: readonly Word[]): string {
  return words
    .filter((word) => word !== false && word !== undefined)
    .map((word) => quote(String(word)))
    .join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function pair(key: string, value: string | number | undefined): Word[] {
  return value === undefined ? [] : [key, value];
}

export function onOff(key: string, value: boolean | undefined): Word[] {
  return value === undefined ? [] : [key, value ? 'on' : 'off'];
}

export function isV6(text: string): boolean {
  return text.includes(':');
}

/** A comment of a shell script, in one line whatever the text has: behind a line break, a command would begin. */
export function comment(text: string): string {
  return `# ${visible(text)}`;
}
