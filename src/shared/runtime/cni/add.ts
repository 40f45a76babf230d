import { field } from '../../config/fields.ts';
import { reportAmbient } from '../../core/ambient.ts';
import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import type { EndpointReport } from '../../core/requests.ts';
import type { Assigned } from '../../drivers/driver.ts';
import { given } from '../../model/given.ts';
import type { RouteSpec } from '../../model/link.ts';
import { formatPrefix } from '../../model/prefix.ts';
import { parseResult } from './parse-result.ts';
import type { Call } from './request.ts';
import { type CniIp, type CniResult, type CniRoute, formatResult } from './result.ts';
import { type Target, targetOf } from './targets.ts';

type EndpointTarget = Extract<Target, { kind: 'endpoint' }>;

/** ADD (SPEC.md §2): ensures the attachment; returns the result in the configuration's version. */
export async function add(call: Call, core: Core): Promise<unknown> {
  const given = field(call.config, 'prevResult');
  const previous = given === undefined ? undefined : parseResult(given, '.prevResult');
  const target = targetOf(call, core);
  switch (target.kind) {
    case 'endpoint':
      return addEndpoint(call, core, target, previous);
    case 'addresses': {
      const { addresses, routes, dns } = core.store.transaction(() => target.source.acquire(core.store));
      return formatResult({ interfaces: [], ips: addresses.map(ip), routes: routes.map(route), dns }, call.version);
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

/** Deletes the endpoint again if the requested version cannot express the result. */
async function addEndpoint(
  call: Call,
  core: Core,
  { request, dns }: EndpointTarget,
  previous: CniResult | undefined,
): Promise<unknown> {
  const controller = new NetworkController(core);
  const report = await controller.createEndpoint(request);
  try {
    const own = fromReport({ ...report, dns: dns ?? report.dns }, request.netns);
    return formatResult(previous === undefined ? own : merge(previous, own), call.version);
  } catch (error) {
    await controller.deleteEndpoint({ ...request, orphans: 'own' });
    throw error;
  }
}

function fromReport(report: EndpointReport, netns: string): CniResult {
  const inside = report.interfaces.findIndex(({ inSandbox }) => inSandbox);
  return {
    interfaces: report.interfaces.map(({ name, mac, mtu, inSandbox }) => ({
      name,
      mac,
      mtu,
      ...(inSandbox ? { sandbox: netns } : {}),
    })),
    ips: report.addresses.map((assigned) => ({ ...ip(assigned), interface: inside })),
    routes: report.routes.map(route),
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

function ip({ address, gateway }: Assigned): CniIp {
  return { address: formatPrefix(address), ...given({ gateway }) };
}

function route({ dst, gateway, mtu, advmss, priority, table, scope }: RouteSpec): CniRoute {
  return {
    dst,
    ...given({ gw: gateway, mtu, advmss, priority, table }),
    ...(typeof scope === 'number' ? { scope } : {}),
  };
}
