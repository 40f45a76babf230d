import { addChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { poolSource } from '../../src/shared/core/pool-source.ts';
import type { RangeSpec } from '../../src/shared/ipam/ranges.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { addrOf } from './addresses.ts';
import { addRequest, attachmentOf, delRequest, fixed, makeCore, scopeOf, type TestCore, type Which } from './core.ts';

/** A pod of a test, in a namespace of its own. */
export interface Pod extends Omit<Which, 'id' | 'netns'> {
  readonly id: string;
  /** With prefix lengths; default: one of each range. */
  readonly addresses?: readonly string[];
  readonly ranges?: readonly RangeSpec[];
  /** Addresses of the ranges that the runtime requests. */
  readonly requested?: readonly string[];
  /** The MAC that the runtime requests. */
  readonly mac?: string;
}

/** What the pod has, and which of its addresses were announced. */
export interface Arrived {
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly announced: readonly string[];
}

/** A core whose bridges have no uplink. */
export function makeQuietCore(...made: Parameters<typeof makeCore>): TestCore {
  return { ...makeCore(...made), hasUplink: () => false };
}

export async function arrive(core: TestCore, host: FakeHost, pod: Pod): Promise<Arrived> {
  const which = { ...pod, netns: `/run/netns/${pod.id}` };
  const { announced } = host.addNamespace(which.netns);
  const { interfaces, addresses } = await createEndpoint(core, {
    ...addRequest(which, host.identity, sourceOf(core, pod)),
    ...(pod.mac === undefined ? {} : { mac: pod.mac }),
  });
  const mac = interfaces.find(({ inSandbox }) => inSandbox)?.mac ?? '';
  return { mac, addresses: addresses.map(({ address }) => formatAddr(address.addr)), announced: [...announced] };
}

function sourceOf(
  { host }: TestCore,
  { addresses, ranges = [], requested = [], ...pod }: Pod,
): ReturnType<typeof fixed> {
  if (addresses !== undefined) return fixed(...addresses);
  const sets = ranges.map((range) => [range]);
  const spec = { scope: scopeOf(pod), sets, requested: requested.map(addrOf), routes: [], dns: {} };
  return poolSource(spec, attachmentOf(pod), host.identity);
}

/** Deletes the pod and its namespace. */
export async function leave(
  core: TestCore,
  host: FakeHost,
  { id, network }: Pick<Pod, 'id' | 'network'>,
): Promise<void> {
  const which = { id, netns: `/run/netns/${id}`, ...(network === undefined ? {} : { network }) };
  for (const error of await deleteChained(core, { attachment: attachmentOf(which), role: 'tuning' }, which.netns))
    throw error;
  for (const error of await deleteEndpoint(core, delRequest(which, host.identity))) throw error;
  host.removeNamespace(which.netns);
}

/** Gives the pod's interface another MAC, as the plugin `tuning` does; the addresses that were announced then. */
export async function tune(
  core: TestCore,
  host: FakeHost,
  pod: Pick<Pod, 'id' | 'network'>,
  mac: string,
): Promise<string[]> {
  const netns = `/run/netns/${pod.id}`;
  const { announced } = host.open(netns);
  const before = announced.length;
  await addChained(core, {
    attachment: attachmentOf(pod),
    role: 'tuning',
    netns,
    describe: () => ({ kind: 'tuning', wanted: { sysctls: [], link: { mac } }, before: { sysctls: [], link: {} } }),
  });
  return announced.slice(before);
}
