import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { parseAlias, parseDeviceAlias } from '../../model/alias.ts';
import type { LinkState, RouteState } from '../../model/link.ts';

/** How a configuration names the parent of an interface. */
export interface ParentOptions {
  /** Absent: the device of the default route. */
  readonly master?: string;
  /** The parent is in the sandbox. */
  readonly linkInContainer: boolean;
  /** Bytes; absent: the parent's. */
  readonly mtu?: number;
}

/** RT_TABLE_MAIN, linux/rtnetlink.h. */
const MAIN = 254;

/** The next query for `parentOf`; undefined once the view has what there is. */
export function parentQuery({ master }: ParentOptions, seen: View | undefined, looks: number): ViewQuery | undefined {
  if (looks === 0) return master === undefined ? { routes: true } : { links: [master] };
  const devices = defaultDevices(seen);
  return looks === 1 && master === undefined && devices.length > 0 ? { links: devices } : undefined;
}

/**
 * The parent: `master`, else the device of the default route with the lowest metric, IPv4 before IPv6, except interfaces
 * that are ours. Throws NetError `invalid-config` if there is no parent or it is loopback, `conflict` if it is a port of
 * a bridge.
 */
export function parentOf({ master, linkInContainer }: ParentOptions, view: View): LinkState {
  const where = linkInContainer ? 'in the container' : 'on this host';
  if (master === undefined) {
    const found = defaultDevices(view).flatMap((name) => view.links.get(name) ?? []);
    const parent = found.find((link) => !isOurs(link));
    if (parent !== undefined) return parent;
    throw fault.invalidConfig('config', '.master', `is missing, and no default route ${where} names a parent`, HINT);
  }
  const parent = view.links.get(master);
  const subject = `.master=${JSON.stringify(master)}`;
  if (parent === undefined) throw fault.invalidConfig('config', subject, `there is no such interface ${where}`, HINT);
  if (parent.loopback) throw fault.invalidConfig('config', subject, 'is loopback, which can be no parent', HINT);
  if (parent.port !== undefined)
    throw fault.conflict(
      'ADD',
      `link ${master}`,
      `is a port of ${parent.master}, so that nothing else can receive from it`,
      `Set .master to ${parent.master}, or take ${master} out of it`,
    );
  return parent;
}

const HINT = 'Set .master to an interface with a network behind it: ip link';

/** The MTU of an interface on top of the parent. Throws NetError `invalid-config` where it is over the parent's. */
export function mtuOver({ mtu }: ParentOptions, parent: LinkState): number {
  if (mtu === undefined) return parent.mtu;
  if (mtu <= parent.mtu) return mtu;
  const what = `is over ${parent.mtu}, the MTU of its parent ${parent.name}`;
  throw fault.invalidConfig('config', `.mtu=${mtu}`, what, `Choose at most ${parent.mtu}, or leave it out`);
}

function defaultDevices(view: View | undefined): string[] {
  const routes = (view?.routes ?? []).filter(({ dst, table = MAIN }) => table === MAIN && dst.endsWith('/0'));
  const rank = ({ dst, priority = 0 }: RouteState): number => (dst.includes(':') ? 2 ** 32 : 0) + priority;
  const sorted = [...routes].sort((a, b) => rank(a) - rank(b));
  return [...new Set(sorted.flatMap(({ dev }) => dev ?? []))];
}

function isOurs({ alias }: LinkState): boolean {
  return parseDeviceAlias(alias) !== undefined || parseAlias(alias) !== undefined;
}
