import { MAIN, mainRoutes, onLinkFirst, withoutProtocol } from '../../../../src/shared/drivers/tables.ts';
import type { View } from '../../../../src/shared/host/host.ts';
import { BITS, formatAddr, parseAddr } from '../../../../src/shared/model/addr.ts';
import type { CarriedFacts, SandboxFacts } from '../../../../src/shared/model/chain.ts';
import { given } from '../../../../src/shared/model/given.ts';
import type { RouteSpec, RouteState } from '../../../../src/shared/model/link.ts';
import { contains, formatPrefix, networkOf, type Prefix, parsePrefix } from '../../../../src/shared/model/prefix.ts';
import type { SbrFacts, VrfFacts } from '../../../../src/shared/model/routing-facts.ts';
import type { RuleState } from '../../../../src/shared/model/rule.ts';

/** What the plugins configured, in two parts: for dockerd, and for us once dockerd has moved the interface. */
export interface Divided {
  readonly carried: CarriedFacts;
  readonly inside: SandboxFacts;
  /** What neither can do, for the log. */
  readonly lost: readonly string[];
}

/** Metrics that the kernel gives to IPv6 routes by itself: of prefixes, and of routes without one. */
const USUAL_METRICS: readonly number[] = [0, 256, 1024];
/** Rules that every namespace has, and that of its VRFs (FIB_RULE_PREF_L3MDEV). */
const USUAL_RULES: readonly number[] = [0, 1000, 32_766, 32_767];

export interface DivideOptions {
  /** What the list sets: the view does not tell. */
  readonly sysctls: SandboxFacts['sysctls'];
  /** As in ListFacts. */
  readonly completes: boolean;
}

/**
 * Reads what `dev` has from a view of its namespace, by TABLES_QUERY and the addresses of `dev`. The view tells more than
 * a CNI result: the reference's ptp answers with a prefix that is not on the link.
 */
export function divide(view: View, dev: string, { sysctls, completes }: DivideOptions): Divided {
  const addresses = addressesOf(view, dev);
  const main = mainRoutes(view, dev);
  const sbr = sbrOf(view, dev, addresses);
  const vrf = vrfOf(view, dev);
  const isLocal = ({ dst, gateway }: RouteSpec): boolean =>
    gateway === undefined && addresses.some((own) => dst === formatPrefix(networkOf(own)) || dst === alone(own));
  const onLink = [...main, ...(sbr?.routes ?? []), ...tableRoutes(view, dev, vrf?.table)].filter(isLocal);
  const first = addresses.filter((own, i) => addresses.findIndex(({ addr }) => addr.family === own.addr.family) === i);
  const carried = first.map((own) =>
    onLink.some(({ dst }) => dst === formatPrefix(networkOf(own))) ? own : host(own),
  );
  const others = main.filter((route) => !isLocal(route));
  const isPlain = (route: RouteState): boolean => !completes || isDefault(route) || !hasAttributes(route);
  const [plain, special] = [others.filter(isPlain), others.filter((route) => !isPlain(route))];
  const gateways = plain.filter((route) => isDefault(route) && route.gateway !== undefined);
  const [gateway4, gateway6] = ([4, 6] as const).map((family) => best(gateways, family)?.gateway);
  const ways = plain.filter((route) => !isDefault(route) || route.gateway === undefined).map(wayOf);
  return {
    carried: {
      addresses: carried.map(formatPrefix),
      ...given({ gateway4, gateway6 }),
      routes: [...linkWays(plain, ways, carried), ...ways],
    },
    inside: {
      sysctls,
      addresses: addresses.filter((own) => !first.includes(own)).map(formatPrefix),
      routes: onLinkFirst(special.map(withoutProtocol)),
      ...given({ sbr, vrf }),
    },
    lost: [
      ...plain.filter(hasAttributes).map(({ dst }) => `attributes of the route to ${dst}`),
      ...view.rules
        .filter((rule) => rule.isSpecial === true && !isUsual(rule))
        .map(({ priority }) => `rule ${priority}`),
    ],
  };
}

/** What of it only a namespace that is there can have, in words. */
export function wordsOf({ sysctls, addresses, routes, sbr, vrf }: SandboxFacts): string[] {
  return [
    ...sysctls.map(([key]) => `sysctl ${key}`),
    ...addresses.map((address) => `address ${address}`),
    ...routes.map(({ dst }) => `attributes of the route to ${dst}`),
    ...(sbr === undefined ? [] : ['policy routing rules']),
    ...(vrf === undefined ? [] : [`VRF ${vrf.vrf}`]),
  ];
}

/** Global addresses; the kernel makes link-local ones itself. */
function addressesOf(view: View, dev: string): Prefix[] {
  return view.addresses.flatMap((one) => {
    const prefix = one.dev === dev && one.scope !== 'link' ? parsePrefix(one.address) : undefined;
    return prefix ?? [];
  });
}

/** Gateways outside of every prefix are on the link: as a route of their own, or by RTNH_F_ONLINK. */
function linkWays(
  routes: readonly RouteSpec[],
  ways: CarriedFacts['routes'],
  addresses: readonly Prefix[],
): CarriedFacts['routes'] {
  const found = new Set<string>();
  for (const { gateway, onlink } of routes) {
    const addr = parseAddr(gateway ?? '');
    if (addr === undefined || onlink !== true) continue;
    const dst = `${formatAddr(addr)}/${BITS[addr.family]}`;
    const isKnown = addresses.some((own) => contains(own, addr)) || ways.some((way) => way.dst === dst);
    if (!isKnown) found.add(dst);
  }
  return [...found].map((dst) => ({ dst }));
}

function sbrOf(view: View, dev: string, addresses: readonly Prefix[]): SbrFacts | undefined {
  const rules = view.rules.filter((rule) => rule.isSpecial !== true && !isUsual(rule));
  if (rules.length === 0) return undefined;
  const tables = new Set(rules.map(({ table }) => table));
  const routes = onLinkFirst(
    view.routes.filter((route) => route.dev === dev && tables.has(route.table ?? MAIN)).map(withoutProtocol),
  );
  // dockerd puts the prefixes of the addresses into the main table.
  const moved = addresses
    .map((own) => formatPrefix(networkOf(own)))
    .filter(
      (dst) => routes.some((route) => route.dst === dst) && !mainRoutes(view, dev).some((one) => one.dst === dst),
    );
  return {
    rules: rules.map(({ family, from, table, priority }) => ({ family, table, priority, ...given({ from }) })),
    routes: routes.filter(({ table }) => table !== MAIN),
    taken: moved.map((dst) => ({ dst, dev })),
  };
}

function isUsual({ priority }: RuleState): boolean {
  return USUAL_RULES.includes(priority);
}

function vrfOf(view: View, dev: string): VrfFacts | undefined {
  const master = view.links.get(view.links.get(dev)?.master ?? '');
  if (master?.vrf === undefined) return undefined;
  const { table } = master.vrf;
  const routes = tableRoutes(view, dev, table).filter(({ protocol }) => protocol !== BY_KERNEL);
  return {
    ...{ vrf: master.name, table, isNew: true, keepAddresses: '0' },
    routes: onLinkFirst(routes.map(({ table: _, ...route }) => withoutProtocol(route))),
  };
}

/** RTPROT_KERNEL */
const BY_KERNEL = 2;

function tableRoutes({ routes }: View, dev: string, table: number | undefined): RouteState[] {
  return table === undefined ? [] : routes.filter((route) => route.dev === dev && route.table === table);
}

function hasAttributes({ mtu, advmss, priority = 0 }: RouteSpec): boolean {
  return mtu !== undefined || advmss !== undefined || !USUAL_METRICS.includes(priority);
}

function isDefault({ dst }: RouteSpec): boolean {
  return dst.endsWith('/0');
}

function best(routes: readonly RouteState[], family: 4 | 6): RouteState | undefined {
  const own = routes.filter(({ dst }) => dst.includes(':') === (family === 6));
  return own.toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0))[0];
}

function wayOf({ dst, gateway }: RouteSpec): CarriedFacts['routes'][number] {
  return { dst, ...given({ gateway }) };
}

function host({ addr }: Prefix): Prefix {
  return { addr, length: BITS[addr.family] };
}

function alone(own: Prefix): string {
  return formatPrefix(host(own));
}
