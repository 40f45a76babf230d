import type { Core } from '../../core/core.ts';
import type { ChainedIdentity } from '../../core/endpoints/chained.ts';
import type { Addressing } from '../../drivers/driver.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Role } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { contains, parsePrefix } from '../../model/prefix.ts';
import type { Call } from './request.ts';
import type { CniResult } from './result.ts';

/** A plugin that adds something to what the plugins before it in a list have made. */
export interface ChainedPlugin {
  readonly role: Role;
  /** Its part is there; returns the result to pass on. */
  add(call: Call, core: Core, previous: CniResult): Promise<CniResult>;
  /** Nothing of its part is left; identity is all it may need of the call. */
  del(call: Call, core: Core, part: ChainedIdentity): Promise<NetError[]>;
  /** Returns where its part is as `add` left it. */
  check(call: Call, core: Core, previous: CniResult): Promise<void>;
  /** Throws NetError for whatever is wrong with the configuration. */
  validate(call: Call): void;
}

/** The addresses that prevResult has for the interface of this call, with their gateways. */
export function ownAddressing({ interfaces, ips }: CniResult, ifName: string): Addressing {
  const own = ips.filter(({ interface: index }) => {
    if (index === undefined) return true;
    const link = interfaces[index];
    return link !== undefined && link.name === ifName && link.sandbox !== undefined;
  });
  const addresses = own.flatMap(({ address, gateway }) => {
    const prefix = parsePrefix(address);
    return prefix === undefined ? [] : [{ address: prefix, ...given({ gateway }) }];
  });
  return { addresses, routes: [] };
}

/**
 * The interface of the host by which the pod is reached: where a route leads, a bridge or the pod's own veth; without a
 * route, the bridge that a plugin before made (podman's internal networks). Undefined where there is neither.
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
