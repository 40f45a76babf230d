import { writeSync } from 'node:fs';
import type { CniVersion } from '../../config/versions.ts';
import { hasCode, type NetError } from '../../errors/net-error.ts';
import { visibleJson } from '../../model/visible.ts';
import { pause } from '../pause.ts';

/** Indented by four spaces, as the reference does. */
export function formatJson(value: unknown): string {
  return `${visibleJson(JSON.stringify(value, null, 4))}\n`;
}

/** A CNI error (SPEC.md §5), for stdout, where libcni reads it. */
export function formatError(error: NetError, version: CniVersion): string {
  const { hint } = error;
  const full = error.message;
  const msg = hint !== '' && full.endsWith(`. ${hint}`) ? full.slice(0, -hint.length - 2) : full;
  return formatJson({ cniVersion: version, code: error.cniCode, msg, ...(hint === '' ? {} : { details: hint }) });
}

/** The writer must wait: for a reader, or for the kernel's memory. */
const NOT_YET = ['EAGAIN', 'EINTR', 'ENOBUFS'];

/**
 * Writes the whole text, also to a non-blocking pipe. Stops without an error, and returns false, if the reader has
 * closed the pipe, or the kernel refuses the text: a full disk. The latter calls `failed`.
 */
export function writeAll(fd: number, text: string | Uint8Array, failed: (cause: Error) => void = () => {}): boolean {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!hasCode(error, NOT_YET)) {
        if (error instanceof Error && !hasCode(error, ['EPIPE'])) failed(error);
        return false;
      }
      pause(1);
    }
  }
  return true;
}
