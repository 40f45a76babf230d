import { type Addr, type Family, formatAddr, sameAddr } from '../model/addr.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../model/prefix.ts';
import { isRefusal, isTaken, unreadable } from './failures.ts';
import { releaseAddress, requestAddress } from './ipam-driver.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';

export interface AddressRequest {
  readonly family: Family;
  readonly poolId: string;
  /** The pool, for the prefix length. */
  readonly pool: string;
  /** Absent: the plugin chooses. */
  readonly address?: Addr;
  readonly options: Readonly<Record<string, string>>;
}

/** Addresses that calls have asked for without noting the answer. */
export interface Asked {
  readonly now: readonly string[];
  readonly note: (asked: readonly string[]) => void;
}

/**
 * Requests an address. A plugin that gives another one than asked for gets it back. An address that somebody has, and
 * that an earlier call asked for without noting the answer, is that call's. The caller notes the answer, and takes the
 * address off the asked ones.
 */
export async function exactly(
  ipam: RemotePlugin,
  request: AddressRequest,
  asked: Asked,
  options: CallOptions,
): Promise<Prefix> {
  const { poolId, pool, address } = request;
  if (address === undefined) return await requestAddress(ipam, request, options);
  const text = formatAddr(address);
  const others = asked.now.filter((other) => other !== text);
  asked.note([...others, text]);
  const granted = await requestAddress(ipam, request, options).catch((thrown: unknown) => {
    const length = parsePrefix(pool)?.length;
    if (asked.now.includes(text) && length !== undefined && isTaken(thrown)) return { addr: address, length };
    if (isRefusal(thrown)) asked.note(others);
    throw thrown;
  });
  if (sameAddr(granted.addr, address)) return granted;
  await releaseAddress(ipam, poolId, granted.addr, { retry: false }).catch(() => undefined);
  asked.note(others);
  const what = `gave Address="${formatPrefix(granted)}" where ${text} was asked for`;
  throw unreadable('IpamDriver.RequestAddress', ipam.name, what);
}
