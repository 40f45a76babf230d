import type { IncomingMessage } from 'node:http';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { NetError } from '../../../../src/shared/errors/net-error.ts';
import { parseJson } from '../../../../src/shared/model/json.ts';

/** Bytes. Docker's longest body, with all 65,535 ports published, has half of that. */
const MAX_BODY = 16 << 20;

/**
 * Reads a request's body, whatever its headers say. Rejects with NetError `decode` as soon as it exceeds the limit, and
 * stops reading; rejects with `io` if the peer leaves before it has sent everything.
 */
export function readBody(request: IncomingMessage, op: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (kind: 'decode' | 'io', what: string, hint: string): void =>
      reject(new NetError({ kind, op, subject: 'body', what, hint }));
    let pieces: Buffer[] = [];
    let length = 0;
    request.on('data', (piece: Buffer) => {
      length += piece.length;
      pieces.push(piece);
      if (length <= MAX_BODY) return;
      pieces = [];
      request.removeAllListeners('data');
      request.pause();
      refuse('decode', 'it is too long', `${MAX_BODY} bytes are the limit`);
    });
    request.on('end', () => resolve(Buffer.concat(pieces, length)));
    request.on('error', () => {});
    request.on('close', () => {
      if (!request.complete) refuse('io', 'the connection has ended in the middle of it', 'Send the whole request');
    });
  });
}

/**
 * Parses the bytes as JSON; returns an empty object for no bytes if the method has no body.
 * Throws NetError `decode`.
 */
export function parseBody(bytes: Buffer, op: string, emptyBody: boolean): unknown {
  const text = bytes.toString('utf8');
  if (text.trim() === '') {
    if (emptyBody) return {};
    const hint = 'Docker repeats a call without its body when the first try has failed: do again what led to it';
    throw fault.decode(op, 'body', 'it is empty', hint);
  }
  try {
    return parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Send one JSON object';
    throw fault.decode(op, 'body', 'it is not JSON', hint, { reason, cause });
  }
}
