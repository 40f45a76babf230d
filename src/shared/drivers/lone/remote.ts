import { fault } from '../../errors/fault.ts';
import type { View } from '../../host/host.ts';
import { type Addr, BITS } from '../../model/addr.ts';
import { formatMovedAlias, parseAlias, parseDeviceAlias, parseMovedAlias } from '../../model/alias.ts';
import type { Attachment } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { InsideFacts, LoneLinkFacts, MovedLink } from '../../model/interface-facts.ts';
import { parseMac } from '../../model/mac.ts';
import type { Op } from '../../model/op.ts';
import { contains, defaultRoute, type Prefix, samePrefix } from '../../model/prefix.ts';
import type { Route } from '../../model/route.ts';
import type { Joined } from '../../remote/network-driver.ts';
import type { Addressing, Assigned } from '../driver.ts';
import { describeInside } from '../inside.ts';
import { describeDevice } from './moved.ts';

/** RT_SCOPE_LINK, linux/rtnetlink.h. */
const ON_LINK = 253;

/** The interface that a Docker plugin has made on the host for an attachment. */
export interface PluggedLink {
  readonly plugin: string;
  readonly attachment: Attachment;
  /** Its name on the host. */
  readonly srcName: string;
  /** Absent: it keeps its own. */
  readonly mac?: string;
}

/**
 * Facts of the interface that the endpoint gets, as a device of the host that DEL gives back to the plugin. `view` has
 * the link, its addresses and the routes. Throws NetError `delegate` where the plugin has no such interface here.
 */
export function describePlugged(view: View, { plugin, attachment, srcName, mac }: PluggedLink): LoneLinkFacts {
  const device = view.links.get(srcName);
  const fail = (what: string, hint: string): never => {
    throw fault.delegate('NetworkDriver.Join', `plugin ${plugin}`, what, hint);
  };
  if (device === undefined) {
    const what = `its interface ${srcName} is not in this network namespace`;
    return fail(what, "Run the plugin in the host's network namespace, or mend it");
  }
  const { alias } = device;
  const isOurs = parseAlias(alias) !== undefined || parseDeviceAlias(alias) !== undefined;
  if (device.loopback || isOurs) {
    const whose = isOurs ? `belongs to Isthmus itself (${alias})` : 'is loopback';
    return fail(`gives the interface ${srcName}, which ${whose}`, 'Mend or replace the plugin');
  }
  // A mark of ours is left from an attachment without a record.
  const before = parseMovedAlias(alias) === undefined ? alias : undefined;
  const link: MovedLink = {
    ...{ kind: 'moved', dev: srcName },
    ...given({ type: device.kind, permMac: device.permMac, parentDev: device.parentDev }),
    before: { ...describeDevice(device, view), ...given({ alias: before }) },
  };
  const { ifName } = attachment;
  const chosen = device.kind === 'ipvlan' ? undefined : mac;
  return {
    ...{ ifName, link, alias: formatMovedAlias(srcName, attachment) },
    ...given({ mac: chosen ?? parseMac(device.mac) }),
  };
}

/** Sets the MAC that the plugin has chosen or was told, also where the link has it, as dockerd does. */
export function planMac({ ifName: name, link, mac }: LoneLinkFacts): Op[] {
  if (link.kind !== 'moved' || mac === undefined || mac === link.before.mac) return [];
  return [{ op: 'link.set', ns: 'sandbox', name, set: { mac } }];
}

/**
 * The addresses with the gateways of the plugin, and its routes: those on the link first, then those by a next hop, then
 * the default route. A gateway outside the subnets is on the link. `routes` are the configuration's, which win.
 */
export function addressingOf(joined: Joined, prefixes: readonly Prefix[], routes: readonly Route[]): Addressing {
  const gateways = [joined.gateway, joined.gateway6].filter((gateway) => gateway !== undefined);
  const addresses = prefixes.map((address): Assigned => {
    const gateway = gateways.find(({ family }) => family === address.addr.family);
    return { address, ...given({ gateway }) };
  });
  const onLink = joined.staticRoutes.filter(({ nextHop }) => nextHop === undefined).map(({ dst }) => dst);
  const isNear = (addr: Addr): boolean => [...prefixes, ...onLink].some((prefix) => contains(prefix, addr));
  const far = gateways.filter((gateway) => !isNear(gateway)).map((addr) => ({ addr, length: BITS[addr.family] }));
  const found: Route[] = [
    ...[...onLink, ...far].map((dst): Route => ({ dst, scope: ON_LINK })),
    ...joined.staticRoutes.flatMap(({ dst, nextHop: gateway }) => (gateway === undefined ? [] : [{ dst, gateway }])),
    ...gateways.map((gateway): Route => ({ dst: defaultRoute(gateway.family), gateway })),
  ];
  const own = found.filter(({ dst }, i) => {
    const isKnown = routes.some((route) => samePrefix(route.dst, dst));
    return !isKnown && found.findIndex((other) => samePrefix(other.dst, dst)) === i;
  });
  return { addresses, routes: [...own, ...routes] };
}

/** The plugin has made sure that nobody else has the addresses, and no router of the network is asked for others. */
export function describePluggedInside(addressing: Addressing): InsideFacts {
  return describeInside(addressing, { up: true, detectDuplicates: false, isOwnIpam: true });
}
