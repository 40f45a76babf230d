import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { type ChosenRoute, lookUpRoute } from '../../host/route-lookup.ts';
import { type Addr, formatAddr, parseAddr } from '../../model/addr.ts';
import { publishedOf } from '../../model/endpoint.ts';
import { formatPorts, type PortEntry, sharePorts } from '../../model/firewall.ts';
import { contains, parsePrefix } from '../../model/prefix.ts';
import { strerror } from '../../netlink/sys.ts';
import { arrive, endpointAt, toPort } from './bridge.ts';
import { bare } from './ends.ts';
import { filterHops } from './filters.ts';
import type { Prediction } from './prediction.ts';
import { FORWARDING, isLost, isOnHost, lose, packetOf, pass, viaText, type Walk } from './walk.ts';

const [RTN_UNICAST, RTN_LOCAL] = [1, 2];

export interface Entering {
  readonly source: Addr;
  readonly address: Addr;
  /** Absent: a program of the host sends it. */
  readonly input?: string;
}

/** Through the host's own namespace: published ports, routes, chains, masquerading. */
export async function throughHost(
  walk: Walk,
  { source, address, input }: Entering,
): Promise<Pick<Prediction, 'target' | 'leaves'> & { targetPort?: number }> {
  const { core, outside, family, question } = walk;
  const at = 'the host';
  const { own } = core.host;
  const index = outside.links.get(input ?? '')?.index;
  const on = input === undefined ? {} : { input: { name: input, ...(index === undefined ? {} : { index }) } };
  const entry = publishedAt(walk, address);
  const target = (entry && parseAddr(entry.address)) ?? address;
  const targetPort = entry === undefined ? question.port : entry.port + ((question.port ?? 0) - entry.hostPort);
  if (entry !== undefined)
    pass(
      walk,
      at,
      `published port ${formatPorts(entry.hostPort, entry)}/${entry.protocol} leads to ${formatAddr(target)}:${targetPort}`,
    );
  const result = { target, leaves: source, ...(targetPort === undefined ? {} : { targetPort }) };
  if (!(own instanceof LinuxNamespace)) return result;
  // The kernel would tell no route to another host.
  if (input !== undefined && !isOnHost(outside, target) && outside.sysctls.get(FORWARDING[family]) === '0') {
    lose(walk, at, 'does not forward packets', `sysctl -w ${FORWARDING[family].replaceAll('/', '.')}=1`);
    return result;
  }
  const arrival = index === undefined ? undefined : { input: index, source };
  const route = lookUpRoute(own, target, arrival);
  if ('errno' in route) {
    lose(
      walk,
      at,
      `has no route to ${formatAddr(target)} for it (${strerror(route.errno)})`,
      'ip route get shows why; with EXDEV it is rp_filter',
    );
    return result;
  }
  const destination = formatAddr(target);
  const translated = entry !== undefined;
  const base = {
    ...on,
    destination,
    source: formatAddr(source),
    translated,
    ...(targetPort === undefined ? {} : { port: targetPort }),
  };
  if (route.type === RTN_LOCAL) {
    walk.hops.push(...(await filterHops(own, at, packetOf(walk, base), input === undefined ? 'sent' : 'received')));
    if (!isLost(walk)) toListener(walk, address);
    return result;
  }
  if (route.type !== RTN_UNICAST) {
    lose(walk, at, `its route to ${destination} is one that drops (ip route get ${destination})`);
    return result;
  }
  const dev = route.dev ?? '';
  pass(walk, at, `routes it by ${dev}${viaText(route)}`);
  const outIndex = outside.links.get(dev)?.index;
  const packet = packetOf(walk, {
    ...base,
    output: { name: dev, ...(outIndex === undefined ? {} : { index: outIndex }) },
  });
  walk.hops.push(...(await filterHops(own, at, packet, input === undefined ? 'sent' : 'forwarded')));
  if (isLost(walk)) return result;
  const leaves = masqueraded(walk, { source, target, dev, route });
  if (leaves !== source) pass(walk, at, `masquerades: the source becomes ${formatAddr(leaves)}`);
  leave(walk, dev, target, targetPort);
  return { ...result, leaves };
}

function publishedAt({ core, outside, question, family }: Walk, address: Addr): PortEntry | undefined {
  const { port, protocol } = question;
  const isLoopback = family === 4 ? address.value >> 24n === 127n : address.value === 1n;
  if (port === undefined || !(isLoopback || isOnHost(outside, address))) return undefined;
  const text = formatAddr(address);
  const all = core.store.endpoints.list().flatMap((part) => publishedOf(part)?.entries ?? []);
  const fits = all.flatMap((entry) =>
    entry.kind === 'port' &&
    entry.protocol === protocol &&
    parseAddr(entry.address)?.family === family &&
    sharePorts(entry, { hostPort: port }) &&
    (entry.hostIp === undefined || entry.hostIp === text)
      ? [entry]
      : [],
  );
  // A port of one address takes precedence over the same port of all.
  return fits.find(({ hostIp }) => hostIp !== undefined) ?? fits[0];
}

function toListener({ core, question, hops }: Walk, address: Addr): void {
  const { port, protocol } = question;
  const at = 'the host';
  if (port === undefined || protocol === 'icmp') {
    hops.push({ at, what: `has ${formatAddr(address)} itself and answers`, state: 'passes' });
    return;
  }
  const { listeners } = core.host.observe(core.host.own, {
    listeners: [{ protocol, port, address: formatAddr(address) }],
  });
  if (listeners.length > 0) hops.push({ at, what: `a program listens on ${protocol} ${port}`, state: 'passes' });
  else
    hops.push({
      at,
      what: `no program listens on ${protocol} ${port}, and no container publishes it`,
      state: 'lost',
      cure: 'isthmus ports lists the published ports',
    });
}

/** The source that the packet leaves with, by the masquerade entries on record. */
function masqueraded(
  { core, outside, family }: Walk,
  {
    source,
    target,
    dev,
    route,
  }: { readonly source: Addr; readonly target: Addr; readonly dev: string; readonly route: ChosenRoute },
): Addr {
  const entries = core.store.networks
    .list()
    .flatMap(({ owned }) =>
      owned.flatMap((one) => (one.kind === 'entry' && one.entry.kind === 'masquerade' ? [one.entry] : [])),
    );
  const within = (text: string, addr: Addr): boolean => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, addr);
  };
  const entry = entries.find(
    ({ subnet, except }) =>
      within(subnet, source) && !within(subnet, target) && !except.some((one) => within(one, target)),
  );
  // Between two masqueraded networks of one host nothing is translated.
  if (entry === undefined || entries.some(({ subnet }) => within(subnet, target))) return source;
  const own = outside.addresses.find(
    ({ dev: of, address, scope }) => of === dev && scope === 'global' && parseAddr(bare(address))?.family === family,
  );
  return parseAddr(entry.to ?? route.source ?? bare(own?.address ?? '')) ?? source;
}

/** By the device that leads to the target: a bridge of ours, the host side of a container, or out of the host. */
function leave(walk: Walk, dev: string, target: Addr, port: number | undefined): void {
  const { core, outside } = walk;
  const state = outside.links.get(dev);
  if (state?.up !== true) {
    lose(walk, `interface ${dev}`, state === undefined ? 'is gone' : 'is down', `ip link set dev ${dev} up`);
    return;
  }
  const part = endpointAt(core, dev, target);
  if (part === undefined) {
    pass(
      walk,
      `interface ${dev}`,
      state.kind === 'bridge' ? `asks its ports for ${formatAddr(target)}` : 'the packet leaves the host',
    );
    return;
  }
  if (state.kind === 'bridge') {
    if (!toPort(walk, dev, part.link.hostIf)) return;
    pass(walk, `bridge ${dev}`, `to port ${part.link.hostIf}`);
  }
  arrive(walk, part, port);
}
