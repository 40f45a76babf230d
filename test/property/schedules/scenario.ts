import fc from 'fast-check';
import { type Call, type CallName, NAMES, type Name, type PodName } from './parties.ts';
import type { Schedule } from './scheduler.ts';

/** The initial state of an attachment: `dead` calls were killed after so many steps. `lost`: its interface is gone. */
export type Prior =
  | { readonly is: 'none' | 'ready' | 'lost' }
  | { readonly is: 'dead ADD' | 'dead DEL'; readonly steps: number };

export interface Scenario {
  readonly calls: readonly Call[];
  /** Each in a process of its own; otherwise all in one. */
  readonly apart: boolean;
  /** Processes that are daemons; the others are plugins that live for one call. */
  readonly daemons: readonly boolean[];
  readonly prior: Readonly<Record<Name, Prior>>;
  /** Docker holds the network at the start. */
  readonly held: boolean;
  readonly published: readonly Name[];
  readonly schedule: Schedule;
}

export const PODS: readonly PodName[] = ['c1', 'c2'];
/** The approximate number of steps of a call. */
const STEPS = 60;

/**
 * Concurrent calls of these names. Most often both concern one attachment, and one of them stops once while the other
 * runs completely.
 */
export function scenarios(names: readonly CallName[]): fc.Arbitrary<Scenario> {
  const target = fc.constantFrom<PodName>('c1', 'c1', 'c1', 'c2');
  // Passes are short and do most of their reading at the start.
  const once = fc.oneof(fc.nat(10), fc.nat(STEPS)).map((steps) => [steps]);
  const often = fc.array(fc.oneof(fc.nat(8), fc.nat(STEPS)), { maxLength: 5 });
  const party = fc.nat(names.length - 1);
  const kill = fc.option(fc.record({ party, step: fc.nat(STEPS) }), { nil: undefined, freq: 1 });
  return fc
    .record({
      targets: fc.tuple(...names.map(() => target)),
      apart: fc.boolean(),
      daemons: fc.tuple(...names.map(() => fc.boolean())),
      c1: oneOf<Prior>([3, fc.constant({ is: 'none' })], [3, fc.constant({ is: 'ready' })], [3, dead()]),
      c2: oneOf<Prior>([4, fc.constant({ is: 'none' })], [2, fc.constant({ is: 'ready' })], [1, dead()]),
      d1: fc.constantFrom<Prior>({ is: 'none' }, { is: 'none' }, { is: 'ready' }, { is: 'lost' }),
      held: fc.boolean(),
      published: fc.oneof(fc.constant(NAMES), fc.subarray([...NAMES])),
      schedule: fc.record({ first: party, turns: fc.oneof(once, once, often), kill }),
    })
    .map(({ targets, c1, c2, d1, ...rest }) => {
      const calls = names.map((name, i) => callOf(name, targets[i] ?? 'c1', names, targets));
      return {
        ...rest,
        calls,
        prior: { c1: suited(c1, 'c1', calls), c2: suited(c2, 'c2', calls), d1: suited(d1, 'd1', calls) },
      };
    });
}

function oneOf<T>(...choices: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

function dead(): fc.Arbitrary<Prior> {
  return fc.record({ is: fc.constantFrom('dead ADD', 'dead DEL'), steps: fc.integer({ min: 10, max: STEPS }) });
}

/** A GC keeps what concurrent calls add or check: a runtime knows those attachments. */
function callOf(name: CallName, of: PodName, names: readonly CallName[], targets: readonly PodName[]): Call {
  switch (name) {
    case 'ADD':
    case 'DEL':
    case 'CHECK':
      return { name, of };
    case 'offer':
    case 'withdraw':
      return { name, of: 'd1' };
    case 'GC': {
      const busy = names.flatMap((other, i) => (other === 'ADD' || other === 'CHECK' ? [targets[i] ?? 'c1'] : []));
      return { name, keep: PODS.filter((pod) => pod !== of || busy.includes(pod)) };
    }
    default:
      return { name };
  }
}

/** An ADD of an existing endpoint that stays, and a CHECK of a missing one, test nothing. */
function suited(found: Prior, name: Name, calls: readonly Call[]): Prior {
  const has = (...names: readonly CallName[]): boolean =>
    calls.some((call) => names.includes(call.name) && 'of' in call && call.of === name);
  if (has('ADD', 'offer') && !has('DEL', 'withdraw') && found.is === 'ready') return { is: 'none' };
  return has('CHECK') && !has('ADD') ? { is: 'ready' } : found;
}

/** The parameters of a sweep. */
export interface Sweep {
  readonly first: CallName;
  readonly second: CallName;
  /** The attachment of the second call; the first call concerns `c1`. */
  readonly of: PodName;
  readonly apart: boolean;
}

/** The first call stops after so many steps, and the second runs completely there. The prior state suits both. */
export function stopped({ first, second, of, apart }: Sweep, steps: number): Scenario {
  const names = [first, second];
  const targets: readonly PodName[] = ['c1', of];
  const calls = names.map((name, i) => callOf(name, targets[i] ?? 'c1', names, targets));
  const isPass = names.some((name) => PASSES.includes(name));
  const left: Prior = isPass && names.includes('ADD') ? { is: 'dead ADD', steps: HALF } : { is: 'ready' };
  const lost: Prior = names.includes('docker') || names.includes('offer') ? { is: 'lost' } : { is: 'ready' };
  return {
    calls,
    apart,
    daemons: names.map((name) => isPass && !PASSES.includes(name)),
    prior: {
      c1: suited(left, 'c1', calls),
      c2: suited(of === 'c2' ? left : { is: 'none' }, 'c2', calls),
      d1: suited(isDocker(names) ? lost : { is: 'none' }, 'd1', calls),
    },
    held: names.includes('network rm'),
    published: NAMES,
    schedule: { first: 0, turns: [steps] },
  };
}

const PASSES: readonly CallName[] = ['GC', 'repair', 'reload', 'rebuild', 'docker'];
/** An ADD that dies after so many steps has created its interface but not recorded that. */
const HALF = 45;

function isDocker(names: readonly CallName[]): boolean {
  return names.some((name) => name === 'offer' || name === 'withdraw' || name === 'docker');
}
