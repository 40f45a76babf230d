import { parseDeviceAlias } from '../model/alias.ts';
import { AF_INET, AF_INET6, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK, RTM_GETROUTE } from '../netlink/constants.ts';
import { type LinkMessage, link, linkName } from '../netlink/link.ts';
import { route } from '../netlink/route.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

export interface BridgeFacts {
  readonly name: string;
  /** True if it leads out of the host: it has a port to elsewhere, or the default route uses it. */
  readonly uplink: boolean;
  /** True if we created it. */
  readonly own: boolean;
}

/** Kinds of links that lead to containers, to virtual machines or nowhere. A physical link has no kind. */
const INNER: readonly (string | undefined)[] = ['veth', 'tun', 'dummy', 'ifb', 'vxlan', 'geneve', 'netkit'];

/** Destinations reserved for documentation (RFC 5737, RFC 3849): only a default route leads there. */
const ELSEWHERE = [
  { family: AF_INET, dst: '192.0.2.1', dstLength: 32 },
  { family: AF_INET6, dst: '2001:db8::1', dstLength: 128 },
] as const;

/** Returns the bridges of a namespace; reads no other links than bridges and the ports of those that are not ours. */
export function readBridges(ns: LinuxNamespace): BridgeFacts[] {
  const defaults = defaultDevices(ns);
  return dump(ns, { info: { kind: 'bridge' } }).flatMap(({ header, attrs: { name, alias, info } }) => {
    if (name === undefined || info?.kind !== 'bridge') return [];
    const own = parseDeviceAlias(alias) !== undefined;
    const uplink = defaults.has(name) || dump(ns, { master: header.index }).some(leadsOut(header.index));
    return [{ name, uplink, own }];
  });
}

/**
 * Returns those of the devices that do not lead out of the host: bridges without uplink, and links to containers. Also
 * those that do not exist, as they are about to be created.
 */
export function innerDevices(ns: LinuxNamespace, names: readonly string[]): string[] {
  const requests = names.map((name) => {
    const payload = link.encode({ header: {}, attrs: { name, extMask: RTEXT_FILTER_SKIP_STATS } });
    return { type: RTM_GETLINK, payload, reply: true, ack: false };
  });
  const found = ns.route.exchange(requests).map(({ messages: [message] }) => message);
  const links = found.map((message) => message && link.decode(message.payload, true));
  const bridges = new Map(readBridges(ns).map((facts) => [facts.name, facts]));
  const defaults = defaultDevices(ns);
  return names.filter((name, i) => {
    const kind = links[i]?.attrs.info?.kind;
    if (links[i] === undefined) return true;
    return kind === 'bridge' ? bridges.get(name)?.uplink === false : INNER.includes(kind) && !defaults.has(name);
  });
}

/** An older kernel may ignore the filter of the dump. */
function leadsOut(bridge: number): (port: LinkMessage) => boolean {
  return ({ attrs: { master, info } }) => master === bridge && !INNER.includes(info?.kind);
}

function dump(ns: LinuxNamespace, filter: LinkMessage['attrs']): LinkMessage[] {
  const payload = link.encode({ header: {}, attrs: { ...filter, extMask: RTEXT_FILTER_SKIP_STATS } });
  return ns.route.dump({ type: RTM_GETLINK, payload }).flatMap((message) => link.decode(message.payload, true) ?? []);
}

/** Returns the devices of the default routes. */
function defaultDevices(ns: LinuxNamespace): ReadonlySet<string> {
  const requests = ELSEWHERE.map(({ family, dst, dstLength }) => {
    const payload = route.encode({ header: { family, dstLength }, attrs: { dst } });
    return { type: RTM_GETROUTE, payload, reply: true, ack: false };
  });
  const answers = ns.route.exchange(requests).flatMap(({ messages }) => messages);
  const indexes = answers.flatMap(({ payload }) => route.decode(payload, true)?.attrs.oif ?? []);
  return new Set(indexes.flatMap((index) => linkName(ns.route.fd, index) ?? []));
}
