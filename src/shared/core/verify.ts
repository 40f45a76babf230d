import type { ErrorParts } from '../errors/net-error.ts';
import { NetError } from '../errors/net-error.ts';
import type { View } from '../host/host.ts';
import type { RouteSpec, RouteState } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { formatPrefix } from '../model/prefix.ts';
import { isTbf } from '../model/shaping.ts';
import type { EndpointRow } from '../store/store.ts';
import { isPeer } from './endpoints/orphans.ts';
import type { Expectation } from './requests.ts';

/** The first difference between what an endpoint's plan left and what the kernel has, or undefined. */
export function findDrift(row: EndpointRow, outside: View, inside: View, expected: Expectation): NetError | undefined {
  const checks = [() => missingInterface(row, outside, inside, expected), () => missingAddress(row, inside, expected)];
  for (const op of row.plan.ops) checks.push(() => opDrift(op, outside, inside, expected));
  for (const route of expected.routes) checks.push(() => missingRoute(route, row.plan.ops, inside));
  for (const check of checks) {
    const found = check();
    if (found !== undefined) return found;
  }
  return undefined;
}

function missingInterface(row: EndpointRow, outside: View, inside: View, expected: Expectation): NetError | undefined {
  const name = row.attachment.ifName;
  const link = inside.links.get(name);
  if (link === undefined) return drift(`link ${name}`, 'is gone from the container');
  const port = outside.links.get(row.hostIf);
  if (port === undefined) return drift(`link ${row.hostIf}`, 'the host side of the container interface is gone');
  if (!isPeer(port, link)) return drift(`link ${name}`, `is not the peer of ${row.hostIf}`);
  const wanted = expected.interfaces.find((known) => known.name === name);
  if (wanted?.mac !== undefined && wanted.mac.toLowerCase() !== link.mac) {
    return drift(`link ${name}`, `has MAC ${link.mac}, expected ${wanted.mac}`);
  }
  if (wanted?.mtu !== undefined && wanted.mtu !== 0 && wanted.mtu !== link.mtu) {
    return drift(`link ${name}`, `has MTU ${link.mtu}, expected ${wanted.mtu}`);
  }
  return undefined;
}

function missingAddress(row: EndpointRow, inside: View, expected: Expectation): NetError | undefined {
  const present = new Set(inside.addresses.map(({ address }) => address));
  const missing = expected.addresses.map(({ address }) => formatPrefix(address)).find((text) => !present.has(text));
  return missing === undefined ? undefined : drift(`link ${row.attachment.ifName}`, `lacks the address ${missing}`);
}

/** The difference between what one step left and what the kernel has, or undefined; steps that leave no trace pass. */
export function opDrift(op: Op, outside: View, inside: View, expected: Expectation): NetError | undefined {
  const view = op.ns === 'host' ? outside : inside;
  switch (op.op) {
    case 'link.create': {
      const link = view.links.get(op.name);
      if (link === undefined || link.kind !== op.link.kind) return drift(`link ${op.name}`, `is no ${op.link.kind}`);
      if (op.master !== undefined && link.master !== op.master) {
        return drift(
          `link ${op.name}`,
          `is ${link.master ? `a port of ${link.master}` : 'no port'}, not of ${op.master}`,
        );
      }
      return op.up === true && !link.up ? drift(`link ${op.name}`, 'is down') : undefined;
    }
    case 'link.set':
      return linkDrift(op, view);
    case 'port.set':
      return portDrift(op, view);
    case 'sysctl.set': {
      const value = view.sysctls.get(op.key);
      return value === undefined || sameWords(value, op.value)
        ? undefined
        : drift(`sysctl ${op.key}`, `is ${value}, expected ${op.value}`);
    }
    case 'nft.element.add': {
      const elements = view.nftSets.get(`${op.table} ${op.set}`) ?? [];
      return elements.includes(op.element)
        ? undefined
        : drift(`nft set ${op.table} ${op.set}`, `lacks the element ${op.element}`);
    }
    case 'tbf.add':
    case 'redirect.add':
      return shapingDrift(op, view);
    case 'route.add':
      return expected.routes.some((route) => route.dst === op.route.dst) ? routeDrift(op.route, view) : undefined;
    default:
      return undefined;
  }
}

/** The kernel puts tabs between numbers. */
function sameWords(a: string, b: string): boolean {
  return a.trim().replace(/\s+/g, ' ') === b.trim().replace(/\s+/g, ' ');
}

function linkDrift({ name, set }: Extract<Op, { op: 'link.set' }>, view: View): NetError | undefined {
  const link = view.links.get(name);
  if (link === undefined) return undefined;
  if (set.up === true && !link.up) return drift(`link ${name}`, 'is down');
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
  for (const key of ['hairpin', 'isolated'] as const) {
    const wanted = op.set[key];
    if (wanted !== undefined && port?.[key] !== wanted) return drift(`port ${op.name}`, `${key} is ${port?.[key]}`);
  }
  return undefined;
}

/** A route of prevResult that none of our steps made: a later plugin's, so destination and gateway have to do. */
function missingRoute(route: RouteSpec, ops: readonly Op[], inside: View): NetError | undefined {
  if (ops.some((op) => op.op === 'route.add' && op.route.dst === route.dst)) return undefined;
  return routeDrift(route, inside);
}

function routeDrift(wanted: RouteSpec, view: View): NetError | undefined {
  const found = view.routes.some((route) => matches(wanted, route));
  return found ? undefined : drift(`route ${wanted.dst}`, `is gone${wanted.gateway ? ` (via ${wanted.gateway})` : ''}`);
}

function matches(wanted: RouteSpec, route: RouteState): boolean {
  if (wanted.dst !== route.dst) return false;
  const keys = ['gateway', 'mtu', 'advmss', 'priority', 'table'] as const;
  return keys.every((key) => wanted[key] === undefined || wanted[key] === (route[key] ?? defaultOf(key)));
}

function defaultOf(key: string): number | undefined {
  return key === 'table' ? 254 : key === 'priority' ? 0 : undefined;
}

function drift(subject: string, what: string): NetError {
  const parts: ErrorParts = { kind: 'drift', op: 'CHECK', subject, what, hint: 'Run DEL, then ADD' };
  return new NetError(parts);
}
