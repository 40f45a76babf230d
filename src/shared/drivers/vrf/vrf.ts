import type { VrfOptions } from '../../config/vrf.ts';
import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { given } from '../../model/given.ts';
import type { LinkState, RouteState } from '../../model/link.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { VrfFacts } from '../../model/routing-facts.ts';
import { addRoute, mainRoutes, TABLES_QUERY, takenTables, takeTable, withoutProtocol } from '../tables.ts';

/** RTPROT_KERNEL: routes that the kernel makes in the VRF's table by itself. */
const BY_KERNEL = 2;

/** On a VRF that we made: the last member takes it along. */
const ALIAS = 'isthmus vrf';

/** The query for `describeVrf`. */
export function vrfQuery(ifName: string): ViewQuery {
  return { ...TABLES_QUERY, sysctls: [keepKey(ifName)] };
}

/**
 * The interface as a member of a VRF, which exists or is made. Throws NetError `invalid-config` or `conflict` where the
 * names mean something else, `bad-environment` without the interface.
 */
export function describeVrf({ vrf, table }: VrfOptions, ifName: string, view: View): VrfFacts {
  const link = view.links.get(ifName);
  if (link === undefined) {
    const hint = 'Put the plugin that makes it before this one in the list';
    throw fault.badEnvironment('ADD', `CNI_IFNAME=${ifName}`, 'the container has no interface of this name', hint);
  }
  if (link.master !== undefined) {
    const hint = `Take it out: ip link set ${ifName} nomaster`;
    throw fault.conflict('ADD', `link ${ifName}`, `is a port or member of ${link.master}`, hint);
  }
  const existing = view.links.get(vrf);
  const keep = view.sysctls.get(keepKey(ifName));
  return {
    vrf,
    table: existing === undefined ? (table ?? takeTable(takenTables(view), 1)) : tableOf(existing, table),
    ...(existing === undefined ? { isNew: true } : {}),
    ...given({ keepAddresses: keep }),
    routes: mainRoutes(view, ifName).filter(isAdded).map(withoutProtocol),
  };
}

/**
 * Makes the VRF and puts the interface in, with its routes. The kernel takes the interface down and up, so that its IPv6
 * addresses have to be kept. The undo takes it out; `planVrfRest` is what else there is to do then.
 */
export function planVrf(name: string, { vrf, table, isNew, keepAddresses, routes }: VrfFacts): Plan {
  const create: Op = {
    ...{ op: 'link.create', ns: 'sandbox', name: vrf, alias: ALIAS, up: true },
    link: { kind: 'vrf', table },
  };
  const keep = (value: string): Op => ({
    ...{ op: 'sysctl.set', ns: 'sandbox', key: keepKey(name), value },
    ...{ optional: true, isInitial: true },
  });
  return {
    ops: [
      ...(isNew ? [create] : []),
      keep('1'),
      { op: 'link.set', ns: 'sandbox', name, set: { master: vrf } },
      ...routes.map((route) => addRoute({ ...route, table })),
    ],
    undo: [
      { op: 'link.set', ns: 'sandbox', name, set: { master: null } },
      ...(keepAddresses === undefined ? [] : [keep(keepAddresses)]),
    ],
  };
}

/** Deletes the VRF where it is ours and has no other member. */
export function planVrfRest(name: string, { vrf, isNew }: VrfFacts, { links }: View): Op[] {
  const device = links.get(vrf);
  // A call may die before the VRF that it made has the alias.
  const isOurs = isNew === true || device?.alias === ALIAS;
  const others = [...links.values()].filter((link) => link.master === vrf && link.name !== name);
  if (device?.kind !== 'vrf' || !isOurs || others.length > 0) return [];
  return [{ op: 'link.delete', ns: 'sandbox', name: vrf, kind: 'vrf' }];
}

function tableOf({ name, kind, vrf }: LinkState, wanted: number | undefined): number {
  if (vrf === undefined) {
    const what = `the container has an interface of this name, of kind ${kind ?? 'none'}`;
    throw fault.invalidConfig('config', `.vrfname=${JSON.stringify(name)}`, what, 'Choose another name');
  }
  if (wanted === undefined || wanted === vrf.table) return vrf.table;
  const hint = `Give ${vrf.table}, leave it out, or choose another vrfname`;
  throw fault.invalidConfig('config', `.table=${wanted}`, `the VRF ${name} has table ${vrf.table}`, hint);
}

function isAdded({ protocol }: RouteState): boolean {
  return protocol !== BY_KERNEL;
}

function keepKey(ifName: string): string {
  return `net/ipv6/conf/${ifName}/keep_addr_on_down`;
}
