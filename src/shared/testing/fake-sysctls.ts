import { badOp, opError } from '../host/failure.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { ENOENT } from '../netlink/constants.ts';
import type { FakeNetns } from './fake-netns.ts';

/** Keys of each device below net/<family>/conf/, with the value of a new device. */
const CONF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ipv4: {
    accept_local: '0',
    arp_accept: '0',
    arp_announce: '0',
    arp_filter: '0',
    arp_ignore: '0',
    arp_notify: '0',
    forwarding: '0',
    proxy_arp: '0',
    promote_secondaries: '0',
    route_localnet: '0',
    rp_filter: '0',
  },
  ipv6: {
    accept_dad: '1',
    accept_ra: '1',
    addr_gen_mode: '0',
    autoconf: '1',
    dad_transmits: '1',
    disable_ipv6: '0',
    forwarding: '0',
    keep_addr_on_down: '0',
    ndisc_notify: '0',
    proxy_ndp: '0',
  },
};

/** Keys of the namespace. */
const GENERAL: Readonly<Record<string, string>> = { 'net/ipv4/ip_forward': '0' };

/** Returns the value of a key, or undefined if the fake kernel lacks it; `ipv6` false removes all of net/ipv6. */
export function fakeSysctl(ns: FakeNetns, key: string, ipv6: boolean): string | undefined {
  const path = sysctlPath(key);
  if (path === undefined || (!ipv6 && path.startsWith('net/ipv6/'))) return undefined;
  const set = ns.sysctls.get(path);
  if (set !== undefined) return set;
  const [, family = '', conf, dev = '', name = ''] = path.split('/');
  if (conf !== 'conf') return GENERAL[path];
  return dev === 'all' || dev === 'default' || ns.links.has(dev) ? CONF[family]?.[name] : undefined;
}

export function setFakeSysctl(op: Extract<Op, { op: 'sysctl.set' }>, ns: FakeNetns, ipv6: boolean): void {
  const path = sysctlPath(op.key);
  if (path === undefined) throw badOp(op, 'a key has to be a path below /proc/sys/net');
  if (fakeSysctl(ns, path, ipv6) !== undefined) set(ns, path, op.value);
  else if (!op.optional) throw opError(op, ENOENT);
}

/** IPv6 that is switched off takes the neighbours with it. */
function set(ns: FakeNetns, path: string, value: string): void {
  ns.sysctls.set(path, value);
  const [, dev] = /^net\/ipv6\/conf\/([^/]+)\/disable_ipv6$/.exec(path) ?? [];
  if (dev !== undefined && value === '1') ns.forgetNeighbours(dev, 6);
}
