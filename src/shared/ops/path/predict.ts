import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { type ChosenRoute, lookUpRoute } from '../../host/route-lookup.ts';
import { type Addr, type Family, formatAddr, parseAddr } from '../../model/addr.ts';
import { campName } from '../../model/attachment.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { RTN_BROADCAST, RTN_LOCAL } from '../../netlink/constants.ts';
import { strerror } from '../../netlink/sys.ts';
import { acrossBridge } from './bridge.ts';
import { addressOf, bare, type ContainerEnd, type End, openContainer } from './ends.ts';
import type { Question } from './hops.ts';
import type { Prediction } from './prediction.ts';
import { throughHost } from './through-host.ts';
import { isLost, isOnHost, lose, observeHost, pass, viaText, type Walk } from './walk.ts';

/** Follows the packet through namespaces, bridges, routes and rules. Sends nothing. The caller closes `sender`. */
export async function predict(core: Core, from: End, to: End, question: Question): Promise<Prediction> {
  const family = familyOf(from, to);
  const outside = observeHost(core);
  const walk: Walk = { core, question, family, outside, hops: [] };
  if (from.kind === 'container') return await fromContainer(walk, from, to);
  if (from.kind === 'host') return await fromHost(walk, to);
  return await fromOutside(walk, from.address, to);
}

const FAMILIES = [4, 6] as const;

/** IPv4 if both ends have it. */
function familyOf(from: End, to: End): Family {
  const has = (end: End, family: Family): boolean => end.kind === 'host' || addressOf(end, family) !== undefined;
  const found = FAMILIES.find((family) => has(from, family) && has(to, family));
  if (found !== undefined) return found;
  const hint = 'Give an address of the family that both have';
  throw fault.badEnvironment(
    'check-path',
    `${from.title} to ${to.title}`,
    'they have no address family in common',
    hint,
  );
}

/** The host's address that a container would call it by: its gateway. */
function hostAddress(walk: Walk, near: string | undefined): Addr {
  const own = walk.outside.addresses.flatMap(({ dev, address, scope }) => {
    const addr = parseAddr(bare(address));
    return addr?.family === walk.family && scope === 'global' ? [{ dev, addr }] : [];
  });
  const found = own.find(({ dev }) => dev === near) ?? own[0];
  if (found !== undefined) return found.addr;
  return { family: walk.family, value: walk.family === 4 ? 0x7f000001n : 1n };
}

async function fromContainer(walk: Walk, from: ContainerEnd, to: End): Promise<Prediction> {
  const { core, outside, family } = walk;
  const sender = openContainer(core, from);
  const part = partOf(core, from);
  const bridge =
    part !== undefined && 'link' in part && part.link && 'bridge' in part.link ? part.link.bridge : undefined;
  const hostIf = from.info.hostInterface ?? '';
  const source = addressOf(from, family) ?? hostAddress(walk, undefined);
  const address = addressOf(to, family) ?? hostAddress(walk, bridge ?? hostIf);
  const title = from.title;
  const known = { from: source, to: address, target: address, leaves: source, sender };
  const route = lookUpRoute(sender, address);
  if ('errno' in route) {
    lose(
      walk,
      title,
      `it has no route to ${formatAddr(address)} (${strerror(route.errno)})`,
      'give its network a route (ipam.routes), or is its interface down?',
    );
    return { ...known, hops: walk.hops };
  }
  if (route.type === RTN_LOCAL) return { ...known, hops: answersItself(walk, title, sender, address) };
  if (isForAll(walk, title, route, address)) return { ...known, hops: walk.hops };
  pass(walk, title, `sends by ${route.dev ?? '?'} from ${route.source ?? formatAddr(source)}${viaText(route)}`);
  const link = outside.links.get(hostIf);
  if (link === undefined) {
    lose(
      walk,
      'the host',
      `the other end of its interface${hostIf === '' ? '' : `, ${hostIf},`} is gone`,
      'create the container again',
    );
    return { ...known, hops: walk.hops };
  }
  if (!link.up) lose(walk, `interface ${hostIf}`, 'is down', `ip link set dev ${hostIf} up`);
  else if (bridge !== undefined && link.master !== bridge)
    lose(walk, `interface ${hostIf}`, `is no port of ${bridge}`, `ip link set dev ${hostIf} master ${bridge}`);
  else pass(walk, `interface ${hostIf}`, bridge === undefined ? 'takes it' : `port of bridge ${bridge}`);
  const device = bridge === undefined ? undefined : outside.links.get(bridge);
  if (device !== undefined && !device.up) lose(walk, `bridge ${bridge}`, 'is down', `ip link set dev ${bridge} up`);
  if (isLost(walk)) return { ...known, hops: walk.hops };
  const input = bridge ?? hostIf;
  if (route.gateway === undefined && bridge !== undefined && !isOnHost(outside, address)) {
    await acrossBridge(walk, { bridge, part, source, address });
    return { ...known, hops: walk.hops };
  }
  if (route.gateway !== undefined && !isOnHost(outside, parseAddr(route.gateway) ?? address)) {
    pass(walk, `bridge ${input}`, `${route.gateway}, its gateway, is not this host: the packet leaves by the bridge`);
    return { ...known, hops: walk.hops };
  }
  return { ...known, ...(await throughHost(walk, { source, address, input })), hops: walk.hops };
}

/** The packet does not leave its sender. */
function answersItself(walk: Walk, title: string, sender: LinuxNamespace, address: Addr): Walk['hops'] {
  const isUp = walk.core.host.observe(sender, { links: ['lo'] }).links.get('lo')?.up === true;
  if (isUp) pass(walk, title, `has ${formatAddr(address)} itself and answers`);
  else
    lose(walk, title, `has ${formatAddr(address)} itself, and its interface lo is down`, 'ip link set dev lo up there');
  return walk.hops;
}

function isForAll(walk: Walk, title: string, { type }: ChosenRoute, address: Addr): boolean {
  const what = `${formatAddr(address)} is the broadcast address of a network, and no host answers for it`;
  if (type === RTN_BROADCAST) lose(walk, title, what, 'give the address of one host');
  return type === RTN_BROADCAST;
}

function partOf({ store }: Core, { info }: ContainerEnd): Endpoint | undefined {
  const parts = store.endpoints.list(info.network);
  return parts.find(
    ({ role, attachment: { camp, containerId } }) =>
      role === 'interface' && campName(camp) === info.camp && containerId === info.id,
  );
}

async function fromHost(walk: Walk, to: End): Promise<Prediction> {
  const { core, family, question } = walk;
  const loopback: Addr = { family, value: family === 4 ? 0x7f000001n : 1n };
  const address = addressOf(to, family) ?? (question.port === undefined ? loopback : hostAddress(walk, undefined));
  const { own } = core.host;
  if (!(own instanceof LinuxNamespace)) throw fault.internal('check-path', 'host', 'it is no host of Linux');
  const route = lookUpRoute(own, address);
  const from = ('errno' in route ? undefined : parseAddr(route.source ?? '')) ?? address;
  const known = { from, to: address, target: address, leaves: from, sender: own };
  if ('errno' in route) {
    lose(walk, 'the host', `has no route to ${formatAddr(address)} (${strerror(route.errno)})`);
    return { ...known, hops: walk.hops };
  }
  if (isForAll(walk, 'the host', route, address)) return { ...known, hops: walk.hops };
  const rest = await throughHost(walk, { source: from, address });
  return { ...known, ...rest, leaves: from, hops: walk.hops };
}

/** From an address that no namespace of this host has: only the way from the uplink on can be told. */
async function fromOutside(walk: Walk, source: Addr, to: End): Promise<Prediction> {
  const { core, family } = walk;
  const { own } = core.host;
  if (!(own instanceof LinuxNamespace)) throw fault.internal('check-path', 'host', 'it is no host of Linux');
  const back = lookUpRoute(own, source);
  const input = 'errno' in back ? undefined : back.dev;
  const address = addressOf(to, family) ?? hostAddress(walk, input);
  pass(
    walk,
    formatAddr(source),
    input === undefined ? 'sends it' : `sends it; the host's own way there is ${input}, so it should arrive there`,
  );
  const rest = await throughHost(walk, { source, address, ...(input === undefined ? {} : { input }) });
  return { from: source, to: address, ...rest, hops: walk.hops };
}
