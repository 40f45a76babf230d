import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { Element } from '../support/chain.ts';
import { type CniAnswer, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { addPod, BRIDGE, type ChainSide, delPod } from './chain-side.ts';
import { type Crowd, countRules, ownCrowd, quieten, referenceCrowd } from './crowd.ts';
import { type Summary, summarize, timed } from './stats.ts';

/** One side of the comparison, with its other endpoints. */
interface Contender extends ChainSide {
  readonly crowd: Crowd;
}

/** The time of one pod beside so many others, and the number of packet filter rules then. */
export interface ChainTimes {
  readonly ADD: Summary;
  readonly DEL: Summary;
  readonly rules: number;
}

const HOST_PORT = 8080;
const NETWORK = { bridge: BRIDGE, isGateway: true, ipMasq: true, hairpinMode: true };

/** Debian's bridge (with host-local), portmap and firewall, with their iptables backends. */
export function referenceSide(): Contender {
  const capabilities = { portMappings: true };
  return makeSide(
    'reference',
    (host) => [
      { dir: referenceDir, conf: { type: 'bridge', ...NETWORK, ipam: { type: 'host-local', ...poolOf(host) } } },
      { dir: referenceDir, conf: { type: 'portmap', backend: 'iptables', capabilities } },
      { dir: referenceDir, conf: { type: 'firewall', backend: 'iptables', ingressPolicy: 'same-bridge' } },
    ],
    referenceCrowd(),
  );
}

/** The same as one chain element. */
export function ownSide(dir: string): Contender {
  const conf = {
    type: 'isthmus',
    driver: 'bridge',
    ingressPolicy: 'same-bridge',
    capabilities: { portMappings: true },
  };
  return makeSide('isthmus', (host) => [{ dir, conf: { ...conf, ...NETWORK, ipam: poolOf(host) } }], ownCrowd());
}

/** ADD and DEL of one pod at a time, `count` times, the sides in turn, beside `endpoints` others. */
export function measureChains(
  sides: readonly Contender[],
  endpoints: number,
  count: number,
): Readonly<Record<string, ChainTimes>> {
  for (const side of sides) side.crowd.grow(side, endpoints);
  const samples = sides.map(() => ({ ADD: [] as number[], DEL: [] as number[] }));
  // The first round only warms the file cache.
  for (let round = 0; round <= count; round++) {
    for (const [i, side] of sides.entries()) {
      let result: CniAnswer = {};
      const add = timed(() => {
        result = addPod(side, `pod${round}`, HOST_PORT);
      });
      const del = timed(() => delPod(side, `pod${round}`, HOST_PORT, result));
      if (round === 0) continue;
      samples[i]?.ADD.push(add);
      samples[i]?.DEL.push(del);
    }
  }
  return Object.fromEntries(
    sides.map((side, i) => {
      addPod(side, 'counted', HOST_PORT);
      const rules = countRules(side);
      delPod(side, 'counted', HOST_PORT);
      return [side.label, { ADD: summarize(samples[i]?.ADD ?? []), DEL: summarize(samples[i]?.DEL ?? []), rules }];
    }),
  );
}

function makeSide(label: string, elements: (host: CniHost) => readonly Element[], crowd: Crowd): Contender {
  const host = makeHost(2);
  quieten(host);
  const machine = openLinuxHost({});
  const ns = machine.open(host.ns.path);
  return {
    label,
    host,
    ns,
    elements: elements(host),
    crowd,
    [Symbol.dispose]: () => {
      ns[Symbol.dispose]();
      machine[Symbol.dispose]();
      host[Symbol.dispose]();
    },
  };
}

function poolOf({ dataDir }: CniHost): Readonly<Record<string, unknown>> {
  return { dataDir, ranges: [[{ subnet: '10.88.0.0/16' }]] };
}
