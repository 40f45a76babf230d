import { type ParentedOptions, VLAN_IDS, vlanNamed } from '../../config/parented.ts';
import { fault } from '../../errors/fault.ts';
import type { View } from '../../host/host.ts';
import { formatDeviceAlias, parseDeviceAlias } from '../../model/alias.ts';
import { digest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { LinkKind, LinkState } from '../../model/link.ts';
import { EMPTY_PLAN, type Op, type Plan } from '../../model/op.ts';
import type { LoneNames, ParentedDriver } from '../driver.ts';

/**
 * Drivers `macvlan` and `ipvlan` where another moves the interfaces to their sandboxes. The network is its parent, which
 * it makes if it is a VLAN or leads nowhere.
 */
export function parentedDriver(options: ParentedOptions, network: string): ParentedDriver {
  const { master, made } = options;
  return {
    devices: [master],
    separatesPorts: false,
    complete: (addressing) => addressing,
    query: (seen) => {
      const base = made?.kind === 'vlan' ? [made.dev] : [];
      return seen === undefined ? { links: [master, ...base] } : undefined;
    },
    planNetwork: (view) => planParent(options, network, view),
    networkGuards: () => [],
    describeLone: (names) => {
      const { ifName, alias } = names;
      return { ifName, link: linkOf(options), ...given({ mac: macOf(options, names), mtu: options.mtu }), alias };
    },
  };
}

/** Makes the parent where it is missing. Throws NetError `invalid-config` or `conflict` where it cannot be one. */
function planParent(options: ParentedOptions, network: string, view: View): Plan {
  const { driver, master, made, mtu } = options;
  const parent = view.links.get(master);
  if (parent !== undefined) {
    assertParent(options, parent);
    const isOurs = parseDeviceAlias(parent.alias) !== undefined;
    if (!isOurs || parent.up) return EMPTY_PLAN;
    assertUp(options, view);
    return { ops: [setUp(master)], undo: [] };
  }
  if (made === undefined) throw missing(master);
  const alias = formatDeviceAlias(driver, network);
  return {
    ops: [
      { op: 'link.create', ns: 'host', name: master, link: madeLink(options, view), alias, ...sizeOf(made.kind, mtu) },
      setUp(master),
    ],
    undo: [{ op: 'link.delete', ns: 'host', name: master, kind: made.kind }],
  };
}

function missing(master: string) {
  const vlan = vlanNamed(master);
  const what = 'there is no such interface on this host';
  if (vlan === undefined) return refused(master, what, HINT);
  const { first, last } = VLAN_IDS;
  return refused(master, `${what}, and there can be no VLAN ${vlan.id} to make`, `Give a VLAN of ${first} to ${last}`);
}

const HINT = 'Give an interface with a network behind it (ip link), or a VLAN of one, as in eth0.10';

function madeLink(options: ParentedOptions, view: View): LinkKind {
  const { master, made } = options;
  if (made?.kind !== 'vlan') return { kind: 'dummy' };
  const base = view.links.get(made.dev);
  if (base === undefined) {
    const what = `there is neither this interface on this host, nor ${made.dev} to make VLAN ${made.id} of`;
    throw refused(master, what, HINT);
  }
  if (base.loopback) throw refused(master, `${made.dev} is loopback, which has no VLANs`, HINT);
  assertUp(options, view);
  assertMtu(options, base);
  return { kind: 'vlan', dev: made.dev, id: made.id };
}

/** The kernel sets no VLAN up on an interface that is down. */
function assertUp({ master, made }: ParentedOptions, { links }: View): void {
  if (made?.kind !== 'vlan' || links.get(made.dev)?.up !== false) return;
  const hint = `Set ${made.dev} up first: ip link set ${made.dev} up`;
  throw fault.conflict('network', `parent=${master}`, `${made.dev} is down, so that no VLAN of it can be up`, hint);
}

function assertParent(options: ParentedOptions, parent: LinkState): void {
  const { master } = options;
  if (parent.loopback) throw refused(master, 'is loopback, which can be no parent', HINT);
  if (parent.port !== undefined) {
    throw fault.conflict(
      'network',
      `parent=${master}`,
      `is a port of ${parent.master}, so that nothing else can receive from it`,
      `Give ${parent.master}, or take ${master} out of it`,
    );
  }
  assertMtu(options, parent);
}

function assertMtu({ master, made, mtu = 0 }: ParentedOptions, parent: LinkState): void {
  // A link that leads nowhere has the MTU that the network wants.
  if (mtu <= parent.mtu || made?.kind === 'dummy') return;
  const what = `is over ${parent.mtu}, the MTU of ${parent.name === master ? 'its parent ' : ''}${parent.name}`;
  throw fault.invalidConfig('network', `mtu=${mtu}`, what, `Choose at most ${parent.mtu}, or leave it out`);
}

function refused(master: string, what: string, hint: string) {
  return fault.invalidConfig('network', `parent=${master}`, what, hint);
}

function setUp(name: string): Op {
  return { op: 'link.set', ns: 'host', name, set: { up: true } };
}

/** A VLAN has the MTU of what it is on; a dummy has 1500. */
function sizeOf(kind: 'vlan' | 'dummy', mtu: number | undefined): { readonly mtu?: number } {
  return kind === 'dummy' ? given({ mtu }) : {};
}

function linkOf(options: ParentedOptions) {
  const { master: dev } = options;
  if (options.driver === 'ipvlan')
    return { kind: 'ipvlan', dev, devNs: 'host', mode: options.mode, flag: options.flag } as const;
  const { mode, bcQueueLength } = options;
  return { kind: 'macvlan', dev, devNs: 'host', mode, ...given({ bcQueueLength }) } as const;
}

/** An ipvlan has the MAC of its parent; a passthru macvlan too, unless the user requests one for both. */
function macOf(options: ParentedOptions, { mac, isRequested }: Pick<LoneNames, 'mac' | 'isRequested'>) {
  if (options.driver === 'ipvlan') return undefined;
  return options.mode === 'passthru' && !isRequested ? undefined : mac;
}

/**
 * Makes a link as the network's endpoints have it, and deletes it. It is not up, so that it takes nothing from the parent.
 * None in mode passthru, which drops what the parent receives for as long as it is down.
 */
export function planTrial(options: ParentedOptions, network: string): Plan {
  if (options.mode === 'passthru') return EMPTY_PLAN;
  const name = `try-${digest('try', network).slice(0, 11)}`;
  const alias = formatDeviceAlias(options.driver, network);
  const link = linkOf(options);
  return {
    ops: [{ op: 'link.create', ns: 'host', name, link, ...given({ mtu: options.mtu }), alias }],
    undo: [{ op: 'link.delete', ns: 'host', name, kind: link.kind }],
  };
}
