import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { given } from '../../src/shared/model/given.ts';
import { macOfAddr } from '../../src/shared/model/mac.ts';
import { addrOf } from '../support/addresses.ts';
import { arrive, leave, makeQuietCore, type Pod, tune } from '../support/arrivals.ts';
import { makeFakeHost } from '../support/core.ts';
import { range } from '../unit/ipam-support.ts';

const NETWORKS = ['web', 'other'] as const;
type Network = (typeof NETWORKS)[number];
/** The shorter pool. */
const POOL_SIZE = 4;
const part4 = (first: number) =>
  range('10.88.0.0/24', { start: `10.88.0.${first}`, end: `10.88.0.${first + POOL_SIZE - 1}` });
const v6 = (place: number): string => `fd00:88::${place.toString(16)}`;
const part6 = (first: number) => range('fd00:88::/64', { start: v6(first), end: v6(first + 5) });
/** Each network's own part of the subnets on the bridge. The pool of IPv4 begins again first. */
const RANGES = { web: { 4: part4(2), 6: part6(2) }, other: { 4: part4(12), 6: part6(12) } };
/** So that the bridge can have several subnets. */
const NO_GATEWAY = { conf: { isGateway: false } };
const MACS = [
  '02:00:00:00:00:01',
  '02:00:00:00:00:02',
  macOfAddr(addrOf('10.88.0.3'), 'web'),
  macOfAddr(addrOf('fd00:88::20'), 'other'),
];

interface Add {
  readonly what: 'add';
  readonly network: Network;
  readonly families: readonly (4 | 6)[];
  /**
   * Addresses that are asked for, by their places: in the network's part (`pool`), or among those that both networks give
   * by hand, in the usual subnets or in another one of IPv4 (`elsewhere`).
   */
  readonly wanted?:
    | { readonly from: 'pool' | 'hand' | 'elsewhere'; readonly place: number; readonly skew: number }
    | undefined;
  readonly mac?: string | undefined;
  /** The MAC that a tuning sets. */
  readonly tuned?: string | undefined;
}
type Step = Add | { readonly what: 'del'; readonly which: number };
type Families = Add['families'];

/** One time in `n`. */
const rarely = <T>(n: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: n - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const families = fc.constantFrom<Families>([4], [6], [4, 6], [6, 4]);
const wanted = fc.record({
  from: fc.constantFrom('pool' as const, 'hand' as const, 'hand' as const, 'elsewhere' as const),
  place: fc.nat(1),
  skew: rarely(8, fc.constant(1)).map((skew) => skew ?? 0),
});
/** Oddities are rare, so that there is something to lose. */
const stepOf = (usual: Families): fc.Arbitrary<Step> => {
  const add = fc.record({
    what: fc.constant('add' as const),
    network: fc.constantFrom(...NETWORKS),
    families: rarely(12, families).map((unusual) => unusual ?? usual),
    wanted: rarely(2, wanted),
    mac: rarely(12, fc.constantFrom(...MACS)),
    tuned: rarely(12, fc.constantFrom(...MACS)),
  });
  const del = fc.record({ what: fc.constant('del' as const), which: fc.nat(20) });
  return fc.oneof({ weight: 3, arbitrary: add }, { weight: 2, arbitrary: del });
};
const run = families.chain((usual) =>
  fc.record({ stays: fc.boolean(), steps: fc.array(stepOf(usual), { maxLength: 30, size: 'max' }) }),
);

describe('law: announcements', function () {
  this.timeout(120_000);

  it('leave no neighbour with a wrong MAC for an address in use, however long it remembers', async () => {
    await fc.assert(fc.asyncProperty(run, assertKnown), { numRuns: 1000 });
  });
});

interface Live {
  readonly pod: Pod;
  readonly addresses: readonly string[];
}

/** Takes the steps beside a neighbour that asks once for an address, and then only listens. If it stays, the bridge does. */
async function assertKnown({
  stays,
  steps,
}: {
  readonly stays: boolean;
  readonly steps: readonly Step[];
}): Promise<void> {
  const host = makeFakeHost();
  const core = makeQuietCore(host);
  const live: Live[] = [];
  const believed = new Map<string, string>();
  if (stays) await arrive(core, host, { id: 'neighbour', addresses: ['10.88.0.250/24'], ...NO_GATEWAY });
  for (const [i, step] of steps.entries()) {
    if (step.what === 'del') {
      const [gone] = live.splice(step.which % Math.max(live.length, 1), 1);
      if (gone !== undefined) await leave(core, host, gone.pod);
      // No neighbour outlives the bridge.
      if (!host.own.links.has('isth0')) believed.clear();
      continue;
    }
    const pod = podOf(`p${i}`, step);
    if (!hasRoom(pod, live)) continue;
    const { mac, addresses, announced } = await arrive(core, host, pod);
    live.push({ pod, addresses });
    for (const address of announced) believed.set(address, mac);
    for (const address of addresses) {
      assert.equal(believed.get(address) ?? mac, mac, `${address} of ${pod.id}`);
      believed.set(address, mac);
    }
    if (step.tuned === undefined) continue;
    const later = await tune(core, host, pod, step.tuned);
    // The kernel announces IPv4 addresses (arp_notify).
    for (const address of [...addresses.filter(isV4), ...later]) believed.set(address, step.tuned);
    for (const address of addresses) assert.equal(believed.get(address), step.tuned, `${address} of ${pod.id}, tuned`);
  }
}

function podOf(id: string, { network, families, wanted, mac }: Add): Pod {
  const pod = { id, network, ...NO_GATEWAY, ...given({ mac }) };
  const ranges = families.map((family) => RANGES[network][family]);
  if (wanted === undefined) return { ...pod, ranges };
  const { from, place, skew } = wanted;
  if (from === 'pool') {
    const requested = ranges.map(({ rangeStart: { family, value } }) =>
      formatAddr({ family, value: value + BigInt(family === 6 ? place + skew : place) }),
    );
    return { ...pod, ranges, requested };
  }
  const subnet = from === 'hand' ? '10.88.0' : '10.99.0';
  const at = { 4: `${subnet}.${32 + place}/24`, 6: `${v6(32 + place + skew)}/64` };
  return { ...pod, addresses: families.map((family) => at[family]) };
}

/** True if its pool has a free address, and the addresses that it requests are free. */
function hasRoom({ network, addresses, requested = [] }: Pod, live: readonly Live[]): boolean {
  const wanted = [...requested, ...(addresses ?? []).map((address) => address.replace(/\/.*/, ''))];
  const ofPool = live.filter(({ pod }) => pod.network === network && pod.addresses === undefined);
  return ofPool.length < POOL_SIZE && live.every((one) => one.addresses.every((address) => !wanted.includes(address)));
}

const isV4 = (address: string): boolean => !address.includes(':');
