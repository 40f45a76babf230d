import { insideQuery, planInside } from '../../drivers/inside.ts';
import { planLoneLink } from '../../drivers/lone/link.ts';
import { addressingOf, describePlugged, describePluggedInside, planMac } from '../../drivers/lone/remote.ts';
import { fault } from '../../errors/fault.ts';
import type { Namespace, View } from '../../host/host.ts';
import { hostIfName } from '../../model/attachment.ts';
import type { LoneEndpoint } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { LoneLinkFacts } from '../../model/interface-facts.ts';
import type { Op } from '../../model/op.ts';
import { type Core, type IpamResult, NO_ADDRESSES } from '../core.ts';
import { type Alone, attachAlone } from '../endpoints/attach-alone.ts';
import { awaitAddresses, awaitRunning } from '../endpoints/await-addresses.ts';
import { execute } from '../execute.ts';
import type { EndpointReport, PluggedEndpointRequest } from '../requests.ts';
import { plug, programPorts } from './endpoint.ts';

/** Creates an interface that a Docker plugin makes: it appears on the host, and moves into the sandbox. As `attachAlone`. */
export async function createPlugged(core: Core, request: PluggedEndpointRequest): Promise<EndpointReport> {
  const { source } = request;
  return await attachAlone<Alone>(core, request, {
    begin: (store, sandbox) =>
      begin(core, request, sandbox, source === undefined ? NO_ADDRESSES : source.acquire(store)),
    build: async (begun, sandbox) => {
      source?.record?.(core.store);
      return await build(core, request, sandbox, begun);
    },
    report: (result, sandbox) => report(core, request, sandbox, result),
  });
}

/** The endpoint before its plugin has told the interface. */
function begin(core: Core, request: PluggedEndpointRequest, sandbox: Namespace, result: IpamResult): Alone {
  const { attachment, netns, aliases, source } = request;
  const facts: LoneEndpoint = {
    ...{ kind: 'lone', role: 'interface', progress: 'intent', attachment, aliases },
    sandbox: { path: netns, id: sandbox.id },
    link: { ifName: attachment.ifName, link: { kind: 'awaited' }, alias: '' },
    inside: describePluggedInside(NO_ADDRESSES),
    ...given({ scope: source?.scope, stamp: core.stamp }),
  };
  return { facts, result };
}

/** Asks the plugin for the interface, records what it was, and moves it. */
async function build(core: Core, request: PluggedEndpointRequest, sandbox: Namespace, begun: Alone): Promise<Alone> {
  const { attachment, netns, plugged, ports, requested, mac } = request;
  const { ifName } = attachment;
  const { host, store } = core;
  const own = begun.result.addresses.map(({ address }) => address);
  const addresses = plugged.plugins.ipam === undefined ? own : requested;
  const call = { ...plugged, attachment, netns, addresses, ports, ...given({ mac }) };
  const before = host.observe(sandbox, { links: 'all' });
  const attached = await plug(core, call);
  const srcName = attached.srcName ?? (await takeOut(core, request, sandbox, before));
  const link = describeLink(core, request, { ...attached, srcName });
  const prefixes = [attached.address, attached.address6].filter((prefix) => prefix !== undefined);
  const addressing = addressingOf(attached, prefixes, begun.result.routes);
  const inside = describePluggedInside(addressing);
  const plan = planInside(host.observe(sandbox, insideQuery(inside)), { ifName, mac: link.mac ?? '' }, inside);
  const journal = plan.undo.length === 0 ? {} : { journal: plan.undo };
  const facts: LoneEndpoint = { ...begun.facts, link, inside, ...journal };
  store.transaction(() => store.endpoints.put(facts));
  const ops: Op[] = [...planLoneLink(link).ops, ...planMac(link), ...plan.ops];
  await execute(core, ops, { host: host.own, sandbox });
  core.mark?.('kernel');
  await awaitAddresses(host, sandbox, plan.ops);
  await awaitRunning(host, sandbox, ifName);
  await programPorts(core, attached, call);
  core.mark?.('delegate');
  return { facts, result: { ...begun.result, ...addressing } };
}

type Attached = Awaited<ReturnType<typeof plug>>;

/**
 * Moves the interface that a plugin has put into the sandbox itself to the host, under a name of ours, which it returns:
 * from there on it is like those of other plugins. `before` has the links that the sandbox had.
 */
async function takeOut(
  core: Core,
  { attachment, plugged }: PluggedEndpointRequest,
  sandbox: Namespace,
  before: View,
): Promise<string> {
  const { host } = core;
  const { links } = host.observe(sandbox, { links: 'all' });
  const fresh = [...links.values()].filter(({ name, loopback }) => !loopback && !before.links.has(name));
  const link = fresh.find(({ name }) => name === attachment.ifName) ?? fresh[0];
  if (link === undefined || (fresh.length > 1 && link.name !== attachment.ifName)) {
    const found = fresh.length === 0 ? 'no interface' : fresh.map(({ name }) => name).join(', ');
    const what = `its answer has no InterfaceName.SrcName, and it put ${found} into the sandbox`;
    const hint = 'Use a plugin that names its interface, or puts one into the sandbox';
    throw fault.delegate('NetworkDriver.Join', `plugin ${plugged.plugins.driver}`, what, hint);
  }
  const toName = hostIfName(attachment);
  const move: Op = { op: 'link.move', ns: 'sandbox', name: link.name, to: 'host', toName };
  await execute(core, [move], { host: host.own, sandbox });
  return toName;
}

function describeLink(
  core: Core,
  { attachment, plugged }: PluggedEndpointRequest,
  { srcName, mac }: Pick<Attached, 'mac'> & { readonly srcName: string },
): LoneLinkFacts {
  const plugin = plugged.plugins.driver ?? '';
  const view = core.host.observe(core.host.own, { links: [srcName], addresses: [srcName], routes: true });
  return describePlugged(view, { plugin, attachment, srcName, ...given({ mac }) });
}

/** MAC and MTU are as the kernel has them. */
function report(
  { host }: Core,
  { attachment: { ifName: name } }: PluggedEndpointRequest,
  sandbox: Namespace,
  { addresses, routes, dns }: IpamResult,
): EndpointReport {
  const link = host.observe(sandbox, { links: [name] }).links.get(name);
  const interfaces = [{ name, mac: link?.mac ?? '', mtu: link?.mtu ?? 0, inSandbox: true }];
  return { interfaces, addresses, routes, dns };
}
