import { lotsOf } from '../drivers/rules.ts';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import type { Namespaces, View, ViewQuery } from '../host/host.ts';
import { renderOp } from '../host/render.ts';
import { entryText } from '../model/entry-text.ts';
import type { FirewallBackend, FirewallEntry } from '../model/firewall.ts';
import type { NsRef, RouteSpec, RouteState } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { isTbf } from '../model/shaping.ts';
import type { Core } from './core.ts';
import { drift } from './drift.ts';
import { createdDrift, linkedIn, ruleDrift } from './link-drift.ts';

export { drift };

/** The query that reads all of a namespace that these ops affect. */
export function queryOf(ops: readonly Op[], ns: NsRef): ViewQuery {
  const own = ops.filter((op) => op.ns === ns);
  return {
    links: unique([...own.flatMap((op) => ('name' in op ? [op.name] : [])), ...ops.flatMap((op) => linkedIn(op, ns))]),
    ...(own.some((op) => op.op === 'rule.add') && { rules: true }),
    sysctls: own.flatMap((op) => (op.op === 'sysctl.set' ? [op.key] : [])),
    shaping: unique(own.flatMap((op) => (op.op === 'tbf.add' || op.op === 'redirect.add' ? [op.dev] : []))),
  };
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

/** Returns NetError `drift` for the first op whose effect the kernel or the packet filter does not show. */
export async function firstDrift(
  core: Core,
  ops: readonly Op[],
  { host, sandbox }: Required<Namespaces>,
): Promise<NetError | undefined> {
  const outside = core.host.observe(host, queryOf(ops, 'host'));
  // Routes of the main table are the container's own affair.
  const routes = ops.flatMap((op) => (op.op === 'route.add' && op.route.table !== undefined ? [op.route] : []));
  const inside = core.host.observe(sandbox, { ...queryOf(ops, 'sandbox'), routes: routes.length > 0 });
  for (const op of ops) {
    const links = op.ns === 'host' ? outside.links : inside.links;
    if ('name' in op && op.op !== 'link.delete' && op.op !== 'link.move' && !links.has(op.name))
      return drift(`link ${op.name}`, 'is gone');
    if (op.op === 'firewall.add') await core.rest?.();
    const found = op.op === 'firewall.add' ? await entriesDrift(core, op) : opDrift(op, outside, inside, routes);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** So many entries, or ports of spans, are compared at once: about 10 ms. */
const PORTION = 250;

/**
 * The entries that are not in force. Lets other work of the thread go on in between, by `wait`. `onlyDropped` as in
 * `Firewaller.missing`.
 */
export async function missingEntries(
  firewaller: Pick<Firewaller, 'missing'>,
  entries: readonly FirewallEntry[],
  wait: (ms: number) => Promise<unknown>,
  onlyDropped = false,
): Promise<FirewallEntry[]> {
  const missing: FirewallEntry[] = [];
  for (const [i, portion] of lotsOf(entries, PORTION).entries()) {
    if (i > 0) await wait(0);
    missing.push(...(await firewaller.missing(portion, onlyDropped)));
  }
  return missing;
}

/** The command that restores every entry of the packet filter, as docs/install.md installs it. */
const RELOAD = 'Run: /opt/cni/bin/isthmus reload';

/** Says what the host lacks if this op of a network is missing, and which command restores it. */
export function lackOf(op: Op): { readonly what: string; readonly hint: string } {
  // The commands for entries depend on what else is in force.
  if (op.op === 'firewall.add') {
    const [first] = op.entries;
    const more = op.entries.length > 1 ? ` and ${op.entries.length - 1} more entries` : '';
    return { what: `the ${op.backend} firewall lacks ${first && entryText(first)}${more}`, hint: RELOAD };
  }
  const what = `the host lacks what the network needs: ${renderOp(op, { sandbox: '' })}`;
  return { what, hint: 'Run that command, or ADD for a new endpoint, to put it back' };
}

/** Returns NetError `drift` for the first entry that is not in force. */
export async function entriesDrift(
  core: Core,
  { backend, entries }: { readonly backend: FirewallBackend; readonly entries: readonly FirewallEntry[] },
): Promise<NetError | undefined> {
  if (entries.length === 0) return undefined;
  const [missing] = await core.firewall(backend).missing(entries, true);
  if (missing === undefined) return undefined;
  return fault.drift('CHECK', `${backend} firewall`, `lacks ${entryText(missing)}`, RELOAD);
}

/**
 * The difference between the effect of one op and the kernel's state, or undefined. Ops without a lasting effect pass,
 * and so do routes that are not in `routes`.
 */
export function opDrift(op: Op, outside: View, inside: View, routes: readonly RouteSpec[]): NetError | undefined {
  const view = op.ns === 'host' ? outside : inside;
  switch (op.op) {
    case 'link.create':
      return createdDrift(op, outside, inside);
    case 'link.move': {
      const { links } = op.to === 'host' ? outside : inside;
      return links.has(op.toName) ? undefined : drift(`link ${op.toName}`, 'is gone');
    }
    case 'rule.add':
      return ruleDrift(op.rule, view);
    case 'link.set':
      return linkDrift(op, view);
    case 'port.set':
      return portDrift(op, view);
    case 'sysctl.set': {
      if (op.isInitial === true) return undefined;
      const value = view.sysctls.get(op.key);
      return value === undefined || sameWords(value, op.value)
        ? undefined
        : drift(`sysctl ${op.key}`, `is ${value}, expected ${op.value}`);
    }
    case 'tbf.add':
    case 'redirect.add':
      return shapingDrift(op, view);
    case 'route.add':
      return routes.some(({ dst }) => dst === op.route.dst) ? routeDrift(op.route, view) : undefined;
    default:
      return undefined;
  }
}

/** Compares by words, because the kernel prints tabs between numbers. */
function sameWords(a: string, b: string): boolean {
  return a.trim().replace(/\s+/g, ' ') === b.trim().replace(/\s+/g, ' ');
}

function linkDrift({ name, set }: Extract<Op, { op: 'link.set' }>, view: View): NetError | undefined {
  const link = view.links.get(name);
  if (link === undefined) return undefined;
  if (set.up === true && !link.up) return drift(`link ${name}`, 'is down');
  if (typeof set.master === 'string' && link.master !== set.master)
    return drift(`link ${name}`, `is not in ${set.master}`);
  for (const key of ['mac', 'mtu', 'promisc', 'allMulticast', 'txQueueLength'] as const) {
    const wanted = set[key];
    if (wanted !== undefined && link[key] !== wanted) {
      return drift(`link ${name}`, `has ${key} ${link[key]}, expected ${wanted}`);
    }
  }
  return undefined;
}

function shapingDrift(
  op: Extract<Op, { op: 'tbf.add' | 'tbf.delete' | 'redirect.add' | 'redirect.delete' }>,
  view: View,
): NetError | undefined {
  const found = view.shaping.get(op.dev);
  if (found === undefined) return drift(`link ${op.dev}`, 'is gone');
  if (op.op === 'redirect.add') {
    return found.redirect === op.to ? undefined : drift(`link ${op.dev}`, `no longer sends what comes in to ${op.to}`);
  }
  if (op.op !== 'tbf.add') return undefined;
  if (found.tbf === undefined) return drift(`link ${op.dev}`, `has lost its limit of ${op.rate} bytes a second`);
  return isTbf(found.tbf, op)
    ? undefined
    : drift(
        `link ${op.dev}`,
        `has a limit of ${found.tbf.rate} bytes a second, expected ${op.rate} with bursts of ${op.burst} bytes`,
      );
}

function portDrift(op: Extract<Op, { op: 'port.set' }>, view: View): NetError | undefined {
  const port = view.links.get(op.name)?.port;
  for (const [flag, wanted] of Object.entries(op.set)) {
    const key = flag as keyof typeof op.set;
    if (port?.[key] !== wanted) return drift(`port ${op.name}`, `${key} is ${port?.[key]}`);
  }
  return undefined;
}

export function routeDrift(wanted: RouteSpec, view: View): NetError | undefined {
  const found = view.routes.some((route) => matches(wanted, route));
  return found ? undefined : drift(`route ${wanted.dst}`, `is gone${wanted.gateway ? ` (via ${wanted.gateway})` : ''}`);
}

function matches(wanted: RouteSpec, route: RouteState): boolean {
  if (wanted.dst !== route.dst) return false;
  const keys = ['gateway', 'source', 'mtu', 'advmss', 'priority', 'table'] as const;
  if (wanted.onlink === true && route.onlink !== true) return false;
  return keys.every((key) => wanted[key] === undefined || wanted[key] === (route[key] ?? defaultOf(key)));
}

function defaultOf(key: string): number | undefined {
  return key === 'table' ? 254 : key === 'priority' ? 0 : undefined;
}
