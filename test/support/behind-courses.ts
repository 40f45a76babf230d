import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { CHANGES } from './behind-changes.ts';
import { type BACKENDS, publishing } from './interleaved.ts';
import type { Twin, TwinCall } from './twins.ts';

export const PODS = 4;
/** Pods with a host port of their own. */
const PUBLISHING = [0, 1];

export interface Step {
  readonly changes: readonly string[];
  /** The call comes before the daemon has repaired anything. */
  readonly isAtOnce: boolean;
  readonly does: 'attach or delete' | 'CHECK' | 'STATUS' | 'GC';
  readonly pod: number;
}

export interface Course {
  readonly backend: keyof typeof BACKENDS;
  readonly isDual: boolean;
  readonly steps: readonly Step[];
}

const attaching = (...changes: readonly string[]): Step => ({
  changes,
  isAtOnce: false,
  does: 'attach or delete',
  pod: 3,
});
const atOnce = (...changes: readonly string[]): Step => ({ ...attaching(...changes), isAtOnce: true });
const checking = (...changes: readonly string[]): Step => ({ ...atOnce(...changes), does: 'CHECK', pod: 0 });

/** What each of the caches would tell wrongly, however few changes a random run makes. */
export const NAMED: Readonly<Record<string, readonly Step[]>> = {
  'the ruleset': [
    checking('ruleset flushed'),
    atOnce('table deleted'),
    atOnce('chains flushed'),
    checking('elements deleted'),
  ],
  settings: [attaching('ip_forward off', 'accept_ra changed'), atOnce('bridge deleted and made again')],
  'the database': [
    attaching(),
    checking('database replaced by an older copy'),
    checking('database deleted'),
    attaching('state directory made again'),
    atOnce('database replaced by nothing'),
  ],
  'the count of changes': [atOnce('changes replaced'), atOnce('changes deleted'), attaching('state directory deleted')],
  'an uplink comes and goes': [attaching('uplink added'), attaching(), attaching('uplinks deleted'), attaching()],
  'a bridge of others, with an uplink, gets the name of ours': [
    attaching('bridge of others with an uplink'),
    attaching('bridge deleted, the one of others gets its name'),
    attaching(),
  ],
};

/** Every change, in an order of its own; some come together. The same for the same seed. */
export function courseOf(seed: number): Course {
  const titles = Object.keys(CHANGES);
  const step = fc.record({
    more: fc.array(fc.constantFrom(...titles), { maxLength: 1 }),
    isAtOnce: fc.boolean(),
    does: fc.constantFrom<Step['does']>(
      'attach or delete',
      'attach or delete',
      'attach or delete',
      'CHECK',
      'STATUS',
      'GC',
    ),
    pod: fc.nat({ max: PODS - 1 }),
  });
  const course = fc.record({
    backend: fc.constantFrom<keyof typeof BACKENDS>('nftables', 'iptables'),
    isDual: fc.boolean(),
    order: fc.shuffledSubarray(titles, { minLength: titles.length }),
    calls: fc.array(step, { minLength: titles.length, maxLength: titles.length }),
  });
  const [made = assert.fail('no course')] = fc.sample(course, { seed, numRuns: 1 });
  const steps = made.calls.map(({ more, ...call }, i) => ({
    ...call,
    changes: [...made.order.slice(i, i + 1), ...more],
  }));
  return { ...made, steps };
}

export function callOf({ does, pod }: Pick<Step, 'does' | 'pod'>): TwinCall {
  return (twin) => {
    const config = configOf(twin, pod);
    const prevResult = twin.attached.get(pod);
    switch (does) {
      case 'STATUS':
        return { command: does, config };
      case 'GC':
        return { command: does, config: { ...config, 'cni.dev/valid-attachments': validBut(twin, pod) } };
      case 'CHECK':
        if (prevResult !== undefined) return { command: does, pod, config: { ...config, prevResult } };
        return { command: 'ADD', pod, config };
      default:
        return { command: prevResult === undefined ? 'ADD' : 'DEL', pod, config };
    }
  };
}

function configOf({ site }: Twin, pod: number): object {
  return PUBLISHING.includes(pod) ? publishing(site, pod).config : site.config;
}

function validBut({ attached }: Twin, pod: number): object[] {
  return [...attached.keys()].flatMap((one) => (one === pod ? [] : [{ containerID: `pod${one}`, ifname: 'eth0' }]));
}
