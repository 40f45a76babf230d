import { combineErrors, type NetError } from '../errors/net-error.ts';
import { parsePrefix } from '../model/prefix.ts';
import type { EndpointFacts } from './endpoint.ts';
import { releaseAddress } from './ipam-driver.ts';
import type { NetworkPlugins } from './network.ts';
import { deleteEndpoint, leave, revokeConnectivity } from './network-driver.ts';
import type { CallOptions } from './plugin.ts';
import { failureOf } from './steps.ts';

/** What `detachEndpoint` could not delete, and why a step failed. */
export interface Detached {
  /** Undefined: the plugins have nothing of the endpoint any more. Then `error` is only worth a line in the log. */
  readonly left: EndpointFacts | undefined;
  readonly error: NetError | undefined;
  /** The plugins have answered each call that failed. */
  readonly isRefused: boolean;
}

/**
 * The endpoint is gone: revokes its ports, leaves, lets `giveBack` move the interface back to the plugin's namespace,
 * deletes the endpoint and releases its addresses. Goes on after failures; what exists no longer is no failure. A later
 * call with `left` repeats only what failed. Hold the attachment's lock.
 */
export async function detachEndpoint(
  { driver, ipam }: NetworkPlugins,
  facts: EndpointFacts,
  giveBack: () => Promise<void>,
  options: CallOptions = {},
): Promise<Detached> {
  const failures: NetError[] = [];
  let left = facts;
  const run = async (deletion: Promise<void>, without: Partial<EndpointFacts>): Promise<void> => {
    const failure = await failureOf(deletion, 'endpoint.delete');
    if (failure === undefined) left = { ...left, ...without };
    else failures.push(failure);
  };
  if (facts.joined !== 'no') {
    await run(revokeConnectivity(driver, facts, options), {});
    await run(leave(driver, facts, options), { joined: 'no' });
  }
  await run(giveBack(), {});
  if (facts.created !== 'no') await run(deleteEndpoint(driver, facts, options), { created: 'no', joined: 'no' });
  for (const held of facts.addresses) {
    const addr = parsePrefix(held.address)?.addr;
    if (addr === undefined || ipam === undefined) continue;
    const rest = left.addresses.filter((other) => other !== held);
    await run(releaseAddress(ipam, held.poolId, addr, options), { addresses: rest });
  }
  const isNothing = left.created === 'no' && left.joined === 'no' && left.addresses.length === 0;
  const isRefused = failures.length > 0 && failures.every(({ kind }) => kind === 'delegate');
  return { left: isNothing ? undefined : left, error: combineErrors(failures, 'endpoint.delete'), isRefused };
}
