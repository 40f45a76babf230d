import { NetError } from '../../errors/net-error.ts';
import type { Host, Namespace } from '../../host/host.ts';
import type { Op } from '../../model/op.ts';

const POLL_MS = 20;
const LIMIT_MS = 10_000;

/**
 * Waits until every IPv6 address that the ops add has passed duplicate address detection. Throws NetError `conflict`
 * for a duplicate, `kernel` after 10 s. Returns at once if no address needs it.
 */
export async function awaitAddresses(host: Host, sandbox: Namespace, ops: readonly Op[]): Promise<void> {
  const waiting = ops.flatMap((op) =>
    op.op === 'addr.add' && op.ns === 'sandbox' && op.address.includes(':') && op.noDad !== true ? [op] : [],
  );
  const [first] = waiting;
  if (first === undefined) return;
  const deadline = Date.now() + LIMIT_MS;
  const wanted = new Set(waiting.map((op) => op.address));
  for (;;) {
    const { addresses } = host.observe(sandbox, { addresses: [first.dev] });
    const ours = addresses.filter((state) => wanted.has(state.address));
    const duplicate = ours.find((state) => state.dadFailed);
    if (duplicate !== undefined)
      throw dadFailure('conflict', first.dev, duplicate.address, 'another interface on the link has it');
    const tentative = ours.find((state) => state.tentative);
    if (tentative === undefined) return;
    if (Date.now() > deadline) throw dadFailure('kernel', first.dev, tentative.address, 'still tentative after 10 s');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Usually a tenth of a millisecond is enough, and a timer takes more than a millisecond. */
const EAGER_LOOKS = 20;
const RUNNING_POLL_MS = 1;
const RUNNING_LIMIT_MS = 200;

/**
 * Waits until the kernel's work queue has noticed that the link has a carrier: until then the bridge drops what its port
 * receives. As a rule it has by now.
 */
export async function awaitRunning(host: Host, sandbox: Namespace, name: string): Promise<void> {
  const isRunning = (): boolean => host.observe(sandbox, { running: [name] }).running.has(name);
  for (let look = 0; look < EAGER_LOOKS; look++) {
    if (isRunning()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let waited = 0; waited < RUNNING_LIMIT_MS && !isRunning(); waited += RUNNING_POLL_MS)
    await new Promise((resolve) => setTimeout(resolve, RUNNING_POLL_MS));
}

function dadFailure(kind: 'conflict' | 'kernel', dev: string, address: string, why: string): NetError {
  return new NetError({
    kind,
    op: 'addr.add',
    subject: `${address} dev ${dev}`,
    what: `duplicate address detection failed: ${why}`,
    hint: 'Choose another address, or leave enabledad out',
  });
}
