import type { CniResult } from '../../config/result.ts';
import { reportAmbient } from '../../core/ambient.ts';
import { NetworkController } from '../../core/controller.ts';
import type { AddressSource, Core, IpamResult } from '../../core/core.ts';
import type { EndpointReport } from '../../core/requests.ts';
import { given } from '../../model/given.ts';
import { isOverlay, joinOverlay } from './overlay.ts';
import { addRemote, type RemoteTarget, unpublish } from './remote.ts';
import type { PluginCall } from './request.ts';
import { formatResult } from './result.ts';
import { type EndpointTarget, type LoneTarget, targetOf } from './targets.ts';

/** ADD (SPEC.md §2): ensures the attachment; returns the result in the configuration's version. */
export async function add(call: PluginCall, core: Core): Promise<unknown> {
  const { previous } = call.config;
  const { config } = call;
  using during = new DisposableStack();
  const target =
    config.kind === 'endpoint' && isOverlay(config)
      ? await joinOverlay(call, config, core, during)
      : targetOf(call, core);
  switch (target.kind) {
    case 'endpoint':
      return await addEndpoint(call, core, target, previous);
    case 'lone':
      return await addLone(call, core, target, previous);
    case 'remote': {
      const report = await addRemote(call, core, target);
      return await answered(call, core, target, report, previous).catch(async (thrown: unknown) => {
        await unpublish(call, core);
        throw thrown;
      });
    }
    case 'addresses': {
      const { addresses, routes, dns } = await addressesOf(target.source, core);
      return formatResult({ interfaces: [], ips: addresses, routes, dns }, call.version);
    }
    default: {
      const { interfaces, addresses } = reportAmbient(core, target.kind, call.variables);
      const own = fromReport({ interfaces, addresses: [], routes: [], dns: {} }, call.variables.netns);
      const ips = addresses.map(([dev, address]) => ({
        address,
        interface: interfaces.findIndex(({ name }) => name === dev),
      }));
      const result =
        previous === undefined ? { ...own, ips } : target.kind === 'null' ? previous : merge(previous, { ...own, ips });
      return formatResult(result, call.version);
    }
  }
}

async function addressesOf(source: AddressSource, { store }: Core): Promise<IpamResult> {
  if (source.kind === 'delegate') return await source.acquire();
  const result = store.transaction(() => source.acquire(store));
  try {
    source.record?.(store);
  } catch (thrown) {
    source.release(store);
    throw thrown;
  }
  return result;
}

/** Deletes the endpoint again if the requested version cannot express the result. */
async function addEndpoint(
  call: PluginCall,
  core: Core,
  { request, dns, attached, explain }: EndpointTarget,
  previous: CniResult | undefined,
): Promise<unknown> {
  const controller = new NetworkController(core);
  const report = await controller.createEndpoint(request).catch(explain);
  try {
    await attached?.();
    return answerOf(call, { ...report, dns: dns ?? report.dns }, previous);
  } catch (error) {
    await controller.deleteEndpoint({ ...request, orphans: 'own' });
    throw error;
  }
}

/** As `addEndpoint`. */
async function addLone(call: PluginCall, core: Core, { request, dns }: LoneTarget, previous?: CniResult) {
  const report = await new NetworkController(core).createLone(request);
  return await answered(call, core, { request, ...given({ dns }) }, report, previous);
}

/** Deletes the endpoint again if the requested version cannot express the result. */
async function answered(
  call: PluginCall,
  core: Core,
  { request, dns }: Pick<LoneTarget | RemoteTarget, 'request' | 'dns'>,
  report: EndpointReport,
  previous: CniResult | undefined,
): Promise<unknown> {
  try {
    return answerOf(call, { ...report, dns: dns ?? report.dns }, previous);
  } catch (error) {
    await new NetworkController(core).deleteEndpoint({ ...request, orphans: 'own' });
    throw error;
  }
}

function answerOf({ version, variables }: PluginCall, report: EndpointReport, previous: CniResult | undefined) {
  const own = fromReport(report, variables.netns);
  return formatResult(previous === undefined ? own : merge(previous, own), version);
}

function fromReport(report: EndpointReport, netns: string): CniResult {
  const inside = report.interfaces.findIndex(({ inSandbox }) => inSandbox);
  return {
    interfaces: report.interfaces.map(({ name, mac, mtu, inSandbox }) => ({
      name,
      // A device without an interface has none.
      ...(mac === '' ? {} : { mac }),
      mtu,
      ...(inSandbox ? { sandbox: netns } : {}),
    })),
    ips: report.addresses.map((assigned) => ({ ...assigned, interface: inside })),
    routes: report.routes,
    dns: report.dns,
  };
}

/** Appends our result to that of earlier plugins and shifts our interface indexes by theirs. */
function merge(previous: CniResult, own: CniResult): CniResult {
  const shift = previous.interfaces.length;
  const ips = own.ips.map((item) =>
    item.interface === undefined ? item : { ...item, interface: item.interface + shift },
  );
  return {
    interfaces: [...previous.interfaces, ...own.interfaces],
    ips: [...previous.ips, ...ips],
    routes: [...previous.routes, ...own.routes],
    dns: Object.keys(own.dns).length > 0 ? own.dns : previous.dns,
  };
}
