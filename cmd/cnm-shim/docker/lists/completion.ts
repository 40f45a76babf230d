import { MAIN, takenTables, takeTable } from '../../../../src/shared/drivers/tables.ts';
import { planVrf, planVrfRest } from '../../../../src/shared/drivers/vrf/vrf.ts';
import type { View } from '../../../../src/shared/host/host.ts';
import type { SandboxFacts } from '../../../../src/shared/model/chain.ts';
import type { RouteSpec } from '../../../../src/shared/model/link.ts';
import type { Op } from '../../../../src/shared/model/op.ts';
import type { SbrFacts, VrfFacts } from '../../../../src/shared/model/routing-facts.ts';
import type { RuleSpec, RuleState } from '../../../../src/shared/model/rule.ts';
import { HELD_NAME } from './holding.ts';

/** Steps in a container's namespace, where `dev` is the interface. Pure. */

/** What the namespace still lacks. */
export function completion(facts: SandboxFacts, dev: string, view: View): Op[] {
  const here = (route: RouteSpec): RouteSpec => (route.dev === HELD_NAME ? { ...route, dev } : route);
  const { sysctls, addresses, vrf } = facts;
  const sbr = facts.sbr && withFreeTables(facts.sbr, view);
  const own = view.addresses.filter((one) => one.dev === dev).map(({ address }) => address);
  const routes = [...facts.routes, ...(sbr?.routes ?? [])].map(here);
  const rules = sbr?.rules.filter((rule) => !view.rules.some((one) => isSame(rule, one) && one.table === rule.table));
  const moved = (sbr?.taken ?? []).map(here);
  return [
    ...sysctls.map(([key, value]): Op => {
      const path = key.split('/').map((part) => (part === HELD_NAME ? dev : part));
      return { op: 'sysctl.set', ns: 'sandbox', key: path.join('/'), value };
    }),
    ...addresses
      .filter((address) => !own.includes(address))
      .map((address): Op => ({ op: 'addr.add', ns: 'sandbox', dev, address, noDad: true })),
    ...routes.filter((route) => !has(view, route)).map((route): Op => ({ op: 'route.add', ns: 'sandbox', route })),
    ...(rules ?? []).map((rule): Op => ({ op: 'rule.add', ns: 'sandbox', rule })),
    ...moved.filter((route) => has(view, route)).map((route): Op => ({ op: 'route.delete', ns: 'sandbox', route })),
    ...(vrf === undefined || view.links.get(dev)?.master === vrf.vrf
      ? []
      : planVrf(dev, { ...knownVrf(vrf, view), routes: vrf.routes.map(here) }).ops),
  ];
}

/** What stays in the namespace when the interface leaves it, and is to go. */
export function withdrawal({ sbr, vrf }: SandboxFacts, dev: string, view: View): Op[] {
  const rules = view.rules.filter((one) => sbr?.rules.some((rule) => isSame(rule, one)));
  return [
    ...rules.map(
      ({ family, from, table, priority }): Op => ({
        ...{ op: 'rule.delete', ns: 'sandbox' },
        rule: { family, table, priority, ...(from === undefined ? {} : { from }) },
      }),
    ),
    ...(vrf === undefined ? [] : planVrfRest(dev, vrf, view)),
  ];
}

/** Another interface of the container may have tables of the same numbers: each list starts at the same one. */
function withFreeTables({ rules, routes, taken }: SbrFacts, view: View): SbrFacts {
  const used = takenTables(view);
  const tables = new Map<number, number>();
  for (const { table = MAIN } of routes) {
    if (tables.has(table)) continue;
    const known = view.rules.find((one) => rules.some((rule) => rule.table === table && isSame(rule, one)));
    tables.set(table, known?.table ?? takeTable(used, table));
  }
  const free = <T extends { readonly table?: number }>(one: T): T =>
    one.table === undefined ? one : { ...one, table: tables.get(one.table) ?? one.table };
  return { rules: rules.map(free), routes: routes.map(free), taken };
}

/** True if both select the same packets. */
function isSame({ family, from }: RuleSpec, one: RuleState): boolean {
  return from !== undefined && one.family === family && one.from === from;
}

/** The VRF as the namespace has it already, for another interface. */
function knownVrf(vrf: VrfFacts, { links }: View): VrfFacts {
  const known = links.get(vrf.vrf)?.vrf;
  if (known === undefined) return vrf;
  const { isNew: _, ...member } = vrf;
  return { ...member, table: known.table };
}

function has({ routes }: View, route: RouteSpec): boolean {
  const keys = ['dst', 'gateway', 'dev'] as const;
  const isThere = (one: RouteSpec): boolean => keys.every((key) => one[key] === route[key]);
  return routes.some((one) => (one.table ?? MAIN) === (route.table ?? MAIN) && isThere(one));
}
