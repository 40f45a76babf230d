import type { Addressing, NetworkDriver } from '../drivers/driver.ts';
import type { Host, Namespace, View, ViewQuery } from '../host/host.ts';

/** A view with nothing in it. */
export const EMPTY_VIEW: View = {
  links: new Map(),
  addresses: [],
  routes: [],
  rules: [],
  neighbours: [],
  forwarding: [],
  sysctls: new Map(),
  running: new Set(),
  listeners: [],
  holders: new Map(),
  shaping: new Map(),
  states: [],
  policies: [],
};

/** Reads all that `driver` queries from the host. */
export function observeNetwork(host: Host, ns: Namespace, driver: NetworkDriver, addressing: Addressing): View {
  return observeStepwise(host, ns, (seen) => driver.query(seen, addressing));
}

/** Reads from the namespace until `next` has no more to query. It gets the view and how many looks made it. */
export function observeStepwise(
  host: Host,
  ns: Namespace,
  next: (seen: View | undefined, looks: number) => ViewQuery | undefined,
): View {
  let seen: View | undefined;
  for (let looks = 0; ; looks++) {
    const query = next(seen, looks);
    if (query === undefined) return seen ?? host.observe(ns, {});
    const more = host.observe(ns, query);
    seen = seen === undefined ? more : mergeViews(seen, more);
  }
}

function mergeViews(a: View, b: View): View {
  return {
    links: new Map([...a.links, ...b.links]),
    addresses: [...a.addresses, ...b.addresses],
    routes: [...a.routes, ...b.routes],
    rules: [...a.rules, ...b.rules],
    neighbours: [...a.neighbours, ...b.neighbours],
    forwarding: [...a.forwarding, ...b.forwarding],
    sysctls: new Map([...a.sysctls, ...b.sysctls]),
    running: new Set([...a.running, ...b.running]),
    listeners: [...a.listeners, ...b.listeners],
    holders: new Map([...a.holders, ...b.holders]),
    shaping: new Map([...a.shaping, ...b.shaping]),
    states: [...a.states, ...b.states],
    policies: [...a.policies, ...b.policies],
  };
}
