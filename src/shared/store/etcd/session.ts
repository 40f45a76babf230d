import { randomBytes } from 'node:crypto';
import type { Session } from '../cluster/cluster-store.ts';
import { pause } from '../cluster/pause.ts';
import type { EtcdClient } from './client.ts';
import { isLeaseThere } from './failures.ts';
import { LeaseService } from './services.ts';

/** How long to wait after a renewal that failed. */
const RETRY_MS = 500;

/** Grants a lease and renews it until `end` aborts; then revokes it. `closed` ends the renewal alone. */
export async function startSession(
  client: EtcdClient,
  ttlSeconds: number,
  end: AbortSignal,
  closed: AbortSignal,
): Promise<Session> {
  // An id of ours, so that a repeated grant makes no second lease. Positive, as all of etcd's.
  const ID = randomBytes(8).readBigUInt64BE() >> 1n;
  const sent = performance.now();
  let seconds = ttlSeconds;
  try {
    const { TTL } = await client.call('session', LeaseService.leaseGrant, { TTL: BigInt(ttlSeconds), ID });
    seconds = Number(TTL);
  } catch (error) {
    if (!isLeaseThere(error)) throw error;
  }
  return { id: ID.toString(16), ttlSeconds: seconds, lost: renew(client, ID, seconds, sent, end, closed) };
}

/** Resolves when the lease has ended, or must be taken to have. */
async function renew(
  client: EtcdClient,
  ID: bigint,
  seconds: number,
  sent: number,
  end: AbortSignal,
  closed: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([end, closed]);
  let until = sent + seconds * 1_000;
  let wait = (seconds * 1_000) / 3;
  for (;;) {
    await pause(wait, either);
    if (either.aborted) break;
    const before = performance.now();
    try {
      const { TTL } = await client.first('session', LeaseService.leaseKeepAlive, { ID });
      // etcd's answer for a lease that it does not know.
      if (TTL <= 0n) return;
      until = before + Number(TTL) * 1_000;
      wait = (seconds * 1_000) / 3;
    } catch {
      wait = RETRY_MS;
    }
    if (performance.now() >= until) return;
  }
  if (closed.aborted) return;
  // Without an answer the lease ends by itself.
  await client.call('session', LeaseService.leaseRevoke, { ID }).catch(() => {});
}
