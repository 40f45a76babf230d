import { fault } from '../../errors/fault.ts';
import type { Session } from '../cluster/cluster-store.ts';
import { Link, type LinkParts } from './link.ts';

/** A session, and the connection over which its entries are put. */
export interface BoundSession {
  readonly session: Session;
  readonly link: Link;
}

/**
 * Starts a session of ZooKeeper with a connection of its own, and keeps it until `end` aborts; then ends it. `closed`
 * ends the connection alone. Throws NetError `unsupported` if the members grant less time.
 */
export async function startSession(
  parts: Pick<LinkParts, 'library' | 'options'>,
  ttlSeconds: number,
  end: AbortSignal,
  closed: AbortSignal,
): Promise<BoundSession> {
  const link = new Link({ ...parts, sessionMs: ttlSeconds * 1_000, isKept: true });
  try {
    const { id, ms } = await link.call('session', async ({ sessionId, sessionMs }) => ({
      id: sessionId,
      ms: sessionMs,
    }));
    if (ms < ttlSeconds * 1_000) throw tooShort(ttlSeconds, ms);
    void keep(link, AbortSignal.any([end, closed]), closed);
    return { session: { id, ttlSeconds: Math.floor(ms / 1_000), lost: link.lost }, link };
  } catch (error) {
    await link.end();
    link[Symbol.dispose]();
    throw error;
  }
}

async function keep(link: Link, either: AbortSignal, closed: AbortSignal): Promise<void> {
  await link.keep(either);
  if (!closed.aborted) await link.end();
  link[Symbol.dispose]();
}

function tooShort(ttlSeconds: number, ms: number): Error {
  return fault.unsupported(
    'session',
    'ZooKeeper',
    `it grants sessions of ${ms / 1_000} s, not ${ttlSeconds} s`,
    `Set maxSessionTimeout=${ttlSeconds * 1_000} or more in zoo.cfg of all members`,
  );
}
