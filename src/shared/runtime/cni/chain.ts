import type { PluginConfig } from '../../config/plugin-config.ts';
import type { CniResult } from '../../config/result.ts';
import type { Core } from '../../core/core.ts';
import type { ChainedIdentity } from '../../core/endpoints/chained.ts';
import type { Addressing } from '../../drivers/driver.ts';
import type { NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import { contains, parsePrefix } from '../../model/prefix.ts';
import type { Call, RemovalCall } from './request.ts';

/** Names of chained plugins, and the roles of their parts. */
export type ChainedRole = 'bandwidth' | 'firewall' | 'portmap' | 'tuning' | 'sbr' | 'vrf';

/** A call of one chained plugin. */
export type ChainedCall<R extends ChainedRole> = Call & { readonly config: Extract<PluginConfig, { kind: R }> };

/** A chained plugin: adds to the result of the plugins before it in a list. */
export interface ChainedPlugin<R extends ChainedRole> {
  readonly role: R;
  /** Ensures its part; returns the result to pass on. */
  add(call: ChainedCall<R>, core: Core, previous: CniResult): Promise<CniResult>;
  /** Deletes its part; needs at most the identity of the call. */
  del(call: RemovalCall, core: Core, part: ChainedIdentity): Promise<NetError[]>;
  /** Returns if its part is as `add` left it; throws otherwise. */
  check(call: ChainedCall<R>, core: Core, previous: CniResult): Promise<void>;
  /** Throws NetError for a configuration that this host cannot implement. */
  validate?(config: ChainedCall<R>['config']): void;
}

/** The addresses that prevResult has for the interface of this call, with their gateways. */
export function ownAddressing({ interfaces, ips }: CniResult, ifName: string): Addressing {
  const own = ips.filter(({ interface: index }) => {
    if (index === undefined) return true;
    const link = interfaces[index];
    return link !== undefined && link.name === ifName && link.sandbox !== undefined;
  });
  const addresses = own.map(({ address, gateway }) => ({ address, ...given({ gateway }) }));
  return { addresses, routes: [] };
}

/**
 * Returns the host interface through which the pod is reached: the target of a route, a bridge or the pod's own veth;
 * without a route, the bridge of an earlier plugin (podman's internal networks). Undefined without either.
 */
export function deviceTowards(
  { host }: Core,
  { interfaces }: CniResult,
  { addresses }: Addressing,
): string | undefined {
  const { routes, links } = host.observe(host.own, { routes: true, links: interfaces.map(({ name }) => name) });
  const ways = routes.flatMap((route) => {
    const dst = parsePrefix(route.dst);
    const leads = addresses.some(({ address }) => dst !== undefined && contains(dst, address.addr));
    return dst !== undefined && dst.length > 0 && leads && route.dev !== undefined && (route.table ?? 254) === 254
      ? [{ length: dst.length, dev: route.dev }]
      : [];
  });
  const [best] = ways.sort((a, b) => b.length - a.length);
  if (best !== undefined) return best.dev;
  return interfaces.find(({ name, sandbox }) => sandbox === undefined && links.get(name)?.kind === 'bridge')?.name;
}
