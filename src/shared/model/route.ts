import { type Addr, formatAddr, parseAddr } from './addr.ts';
import { given } from './given.ts';
import type { RouteScope, RouteSpec } from './link.ts';
import { formatPrefix, type Prefix, parsePrefix } from './prefix.ts';

/** A route that a configuration or an IPAM gives to endpoints. `RouteSpec` is its text, for rows and Ops. */
export interface Route {
  readonly dst: Prefix;
  readonly gateway?: Addr;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: RouteScope;
}

export function formatRoute({ dst, gateway, ...rest }: Route): RouteSpec {
  return { dst: formatPrefix(dst), ...(gateway === undefined ? {} : { gateway: formatAddr(gateway) }), ...rest };
}

/** Undefined if an address is malformed. */
export function parseRoute({ dst, gateway, mtu, advmss, priority, table, scope }: RouteSpec): Route | undefined {
  const [prefix, addr] = [parsePrefix(dst), gateway === undefined ? undefined : parseAddr(gateway)];
  if (prefix === undefined || (gateway !== undefined && addr === undefined)) return undefined;
  return { dst: prefix, ...given({ gateway: addr, mtu, advmss, priority, table, scope }) };
}
