import type { View } from '../host/host.ts';
import { formatAddr } from '../model/addr.ts';
import type { RouteSpec } from '../model/link.ts';
import type { Op, Plan } from '../model/op.ts';
import { formatPrefix } from '../model/prefix.ts';
import type { Addressing } from './driver.ts';

export interface AddressOptions {
  /** False leaves the interface down. */
  readonly up: boolean;
  /** True keeps IPv6 duplicate address detection, which takes one to two seconds. */
  readonly detectDuplicates: boolean;
  /** MAC of the interface. */
  readonly mac: string;
}

/** Puts addresses and routes on `ifName` in the sandbox and sets it up, whatever driver made it. */
export function planAddresses(sandbox: View, ifName: string, addressing: Addressing, options: AddressOptions): Plan {
  const ops: Op[] = [];
  const undo: Op[] = [];
  const families = new Set(addressing.addresses.map(({ address }) => address.addr.family));
  if (families.has(4)) {
    const own = addressing.addresses.filter(({ address }) => address.addr.family === 4);
    const announces = { dev: ifName, mac: options.mac, addresses: own.map(({ address }) => formatAddr(address.addr)) };
    const notify = sysctl(`net/ipv4/conf/${ifName}/arp_notify`, '1');
    ops.push(options.up ? { ...notify, announces } : notify);
  }
  if (families.has(6)) {
    if (sandbox.sysctls.get('net/ipv6/conf/lo/disable_ipv6') === '1') {
      ops.push(sysctl('net/ipv6/conf/lo/disable_ipv6', '0'));
      undo.push(sysctl('net/ipv6/conf/lo/disable_ipv6', '1'));
    }
    ops.push(sysctl(`net/ipv6/conf/${ifName}/disable_ipv6`, '0'));
    ops.push(sysctl(`net/ipv6/conf/${ifName}/keep_addr_on_down`, '1'));
  }
  if (!options.detectDuplicates) ops.push(sysctl(`net/ipv6/conf/${ifName}/accept_dad`, '0'));
  for (const { address } of addressing.addresses) {
    const noDad = address.addr.family === 6 && !options.detectDuplicates;
    ops.push({
      op: 'addr.add',
      ns: 'sandbox',
      dev: ifName,
      address: formatPrefix(address),
      ...(noDad ? { noDad } : {}),
    });
  }
  if (options.up) ops.push({ op: 'link.set', ns: 'sandbox', name: ifName, set: { up: true } });
  for (const route of addressing.routes) ops.push(routeOp(ifName, route, addressing));
  return { ops, undo };
}

/** RT_SCOPE_LINK, linux/rtnetlink.h: from here on a route has no gateway. */
const LINK_SCOPE = 253;

/** A route without a gateway goes through that of the first address of its family, else straight to the link. */
function routeOp(ifName: string, route: RouteSpec, { addresses }: Addressing): Op {
  const family = route.dst.includes(':') ? 6 : 4;
  const onLink = typeof route.scope === 'number' && route.scope >= LINK_SCOPE;
  const usual = onLink ? undefined : addresses.find(({ address }) => address.addr.family === family)?.gateway;
  const gateway = route.gateway ?? usual;
  return {
    op: 'route.add',
    ns: 'sandbox',
    route: { ...route, ...(gateway === undefined ? {} : { gateway }), dev: ifName },
  };
}

function sysctl(key: string, value: string): Extract<Op, { op: 'sysctl.set' }> {
  return { op: 'sysctl.set', ns: 'sandbox', key, value, optional: true };
}
