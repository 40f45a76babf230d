import type { Core } from '../../src/shared/core/core.ts';
import type { Addressing } from '../../src/shared/drivers/driver.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { contains, parsePrefix } from '../../src/shared/model/prefix.ts';
import type { CniResult } from './result.ts';

/** The addresses that prevResult has for the interface of this call, with their gateways. */
export function ownAddressing({ interfaces, ips }: CniResult, ifName: string): Addressing {
  const own = ips.filter(({ interface: index }) => {
    if (index === undefined) return true;
    const link = interfaces[index];
    return link !== undefined && link.name === ifName && link.sandbox !== undefined;
  });
  const addresses = own.flatMap(({ address, gateway }) => {
    const prefix = parsePrefix(address);
    return prefix === undefined ? [] : [{ address: prefix, ...(gateway === undefined ? {} : { gateway }) }];
  });
  return { addresses, routes: [] };
}

/**
 * The interface of the host by which the pod is reached: a bridge, or the pod's own veth.
 * Throws NetError `kernel` where no route leads to any of its addresses.
 */
export function deviceTowards({ host }: Core, { addresses }: Addressing): string {
  const { routes } = host.observe(host.own, { routes: true });
  const ways = routes.flatMap((route) => {
    const dst = parsePrefix(route.dst);
    const leads = addresses.some(({ address }) => dst !== undefined && contains(dst, address.addr));
    return dst !== undefined && leads && route.dev !== undefined && (route.table ?? 254) === 254
      ? [{ length: dst.length, dev: route.dev }]
      : [];
  });
  const [best] = ways.sort((a, b) => b.length - a.length);
  if (best !== undefined) return best.dev;
  throw new NetError({
    kind: 'kernel',
    op: 'ADD',
    subject: 'prevResult',
    what: "no route of the host leads to the pod's addresses",
    hint: 'Give the network a gateway on this host (isGateway)',
  });
}
