import type { SbrOptions } from '../../config/sbr.ts';
import { fault } from '../../errors/fault.ts';
import type { View } from '../../host/host.ts';
import { BITS, formatAddr } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import type { RouteSpec, RouteState } from '../../model/link.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { SbrFacts } from '../../model/routing-facts.ts';
import type { RuleSpec } from '../../model/rule.ts';
import type { Addressing, Assigned } from '../driver.ts';
import { addRoute, deleteRoute, mainRoutes, onLinkFirst, takenTables, takeTable, withoutProtocol } from '../tables.ts';

/** As in the reference sbr plugin. */
const FIRST_TABLE = 100;

/**
 * Source based routing: what leaves from an address of the interface is routed by a table of that address, and no other
 * traffic uses the interface's routes. Link-local ones stay in the main table. `view` is that of TABLES_QUERY; `used`
 * are tables of calls under way. Throws NetError `invalid-config` without addresses.
 */
export function describeSbr(
  options: SbrOptions,
  { addresses }: Addressing,
  ifName: string,
  view: View,
  used: readonly number[],
): SbrFacts {
  if (addresses.length === 0) {
    const hint = 'Put sbr behind a plugin that gives addresses';
    throw fault.invalidConfig('config', '.prevResult', `has no address of ${ifName} to route by`, hint);
  }
  if (!view.links.has(ifName)) {
    const hint = 'Put the plugin that makes it before this one in the list';
    throw fault.badEnvironment('ADD', `CNI_IFNAME=${ifName}`, 'the container has no interface of this name', hint);
  }
  const { table } = options;
  if (table !== undefined) return { rules: addresses.map((one) => ruleOf(one, table)), routes: [], taken: [] };
  const taken = takenTables(view, used);
  const main = mainRoutes(view, ifName);
  const tables = addresses.map((one) => ({ one, table: takeTable(taken, FIRST_TABLE) }));
  const families = addresses.map(({ address }) => address.addr.family);
  return {
    rules: tables.map(({ one, table }) => ruleOf(one, table)),
    routes: tables.flatMap(({ one, table }) => tableOf(options, one, main, { ifName, table })),
    taken: main.filter((route) => families.includes(familyOf(route))).map(withoutProtocol),
  };
}

/** Fills the tables, adds the rules, then empties the main table. The undo leaves the main table as it is. */
export function planSbr({ rules, routes, taken }: SbrFacts): Plan {
  const change =
    (op: 'rule.add' | 'rule.delete') =>
    (rule: RuleSpec): Op => ({ op, ns: 'sandbox', rule });
  return {
    ops: [...routes.map(addRoute), ...rules.map(change('rule.add')), ...taken.map(deleteRoute)],
    undo: [...rules.map(change('rule.delete')), ...[...routes].reverse().map(deleteRoute)],
  };
}

function ruleOf({ address: { addr } }: Assigned, table: number): RuleSpec {
  const { family } = addr;
  return { family, from: `${formatAddr(addr)}/${BITS[family]}`, table };
}

/** The routes of one address's table: those of its family, and a default route by its gateway. */
function tableOf(
  { gateways, addSourceHints }: SbrOptions,
  { address, gateway: own }: Assigned,
  main: readonly RouteState[],
  { ifName, table }: { readonly ifName: string; readonly table: number },
): RouteSpec[] {
  const { addr } = address;
  const text = formatAddr(addr);
  const chosen = gateways.find(({ family }) => family === addr.family) ?? own;
  const gateway = chosen && formatAddr(chosen);
  const isDefault = ({ dst }: RouteSpec): boolean => dst.endsWith('/0');
  const ofFamily = main.filter((route) => familyOf(route) === addr.family);
  const known = ofFamily.filter((route) => gateway === undefined || !isDefault(route) || route.gateway === gateway);
  const routes = known.map((route): RouteSpec => {
    const { source, ...rest } = withoutProtocol(route);
    // The kernel deletes routes whose source address goes.
    return { ...rest, table, ...(addSourceHints || source !== undefined ? { source: text } : {}) };
  });
  if (gateway === undefined || routes.some(isDefault)) return onLinkFirst(routes);
  const onlink = ofFamily.some((route) => route.gateway === gateway && route.onlink === true) ? true : undefined;
  const source = addSourceHints ? text : undefined;
  const dst = addr.family === 4 ? '0.0.0.0/0' : '::/0';
  return onLinkFirst([...routes, { dst, gateway, dev: ifName, table, ...given({ onlink, source }) }]);
}

function familyOf({ dst }: RouteSpec): 4 | 6 {
  return dst.includes(':') ? 6 : 4;
}
