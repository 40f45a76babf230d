import { asNetError, combineErrors, type NetError } from '../errors/net-error.ts';
import { type Addr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { contains, parsePrefix } from '../model/prefix.ts';
import { isTaken } from './failures.ts';
import { FOR_GATEWAY, ipamCapabilities, requestAddress, requestPool } from './ipam-driver.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';
import type { PoolFacts } from './pools.ts';

/**
 * Requests held pools, their gateways and the `addresses` of living endpoints again from a plugin that forgets them when
 * it starts (RequiresRequestReplay); does nothing for any other. Goes on after failures and throws them at the end.
 * An address that the plugin still has is no failure.
 */
export async function replayPools(
  ipam: RemotePlugin,
  pools: readonly PoolFacts[],
  ipamOptions: Readonly<Record<string, string>>,
  addresses: readonly Addr[],
  options: CallOptions = {},
): Promise<void> {
  if (!(await ipamCapabilities(ipam, options)).requiresReplay) return;
  const failures: NetError[] = [];
  const run = async (request: Promise<unknown>): Promise<void> => {
    await request.catch((thrown: unknown) => {
      if (!isTaken(thrown)) failures.push(asNetError(thrown, 'ipam'));
    });
  };
  for (const { family, addressSpace, poolId, pool: text, gateway, requested } of pools) {
    const pool = parsePrefix(text);
    if (poolId === undefined || pool === undefined) continue;
    await run(requestPool(ipam, { family, addressSpace, options: ipamOptions, ...given({ pool }) }, options));
    const own = requested.flatMap((address) => parseAddr(address) ?? []);
    for (const address of [...own, ...addresses.filter((addr) => contains(pool, addr))]) {
      const isGateway = gateway !== undefined && parseAddr(gateway.replace(/\/.*/, ''))?.value === address.value;
      const addressOptions = isGateway ? FOR_GATEWAY : {};
      await run(requestAddress(ipam, { family, poolId, address, options: addressOptions }, options));
    }
  }
  const error = combineErrors(failures, 'ipam');
  if (error !== undefined) throw error;
}
