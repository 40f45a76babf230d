import type { Call, Name } from './parties.ts';
import type { Outcome } from './process.ts';

/** A call and its result. */
export interface Made {
  readonly call: Call;
  readonly outcome: Outcome;
}

/** `broken`: half created or half deleted, until the next call or start. */
export type State = 'present' | 'broken' | 'absent';

/** The effect of a call on one attachment (or the network's holder), for each state that it may find. */
type Effect = (before: State, made: Made) => readonly State[];

/** Possible states of an attachment after these calls: those of every serial order consistent with the schedule. */
export function allowedStates(name: Name, before: State, calls: readonly Made[]): Set<State> {
  return serial(before, calls, (state, made) => effectOn(name, state, made));
}

/** Whether Docker may keep the network after these calls. */
export function allowedHolding(before: boolean, calls: readonly Made[]): Set<boolean> {
  const states = serial(before ? 'present' : 'absent', calls, (state, { call: { name }, outcome }) => {
    if (name !== 'network create' && name !== 'network rm') return [state];
    return outcomesOf(outcome, state, [name === 'network create' ? 'present' : 'absent']);
  });
  return new Set([...states].map((state) => state === 'present'));
}

function serial(before: State, calls: readonly Made[], effect: Effect): Set<State> {
  if (calls.length === 0) return new Set([before]);
  const found = new Set<State>();
  for (const made of calls) {
    const rest = calls.filter((other) => other !== made);
    if (rest.some(({ outcome }) => isBefore(outcome, made.outcome))) continue;
    for (const state of effect(before, made)) {
      for (const last of serial(state, rest, effect)) found.add(last);
    }
  }
  return found;
}

/** True if `a` had ended when `b` began. */
function isBefore(a: Outcome, b: Outcome): boolean {
  return a.end !== undefined && (b.begin === undefined || a.end < b.begin);
}

function effectOn(name: Name, before: State, { call, outcome }: Made): readonly State[] {
  switch (call.name) {
    case 'ADD':
    case 'offer':
      if (call.of !== name) return [before];
      // A live endpoint makes an ADD fail; repeating the same offer succeeds.
      if (before === 'present' && call.name === 'ADD' && outcome.end !== undefined)
        return outcome.error === undefined ? [] : ['present'];
      return outcomesOf(outcome, before, ['present']);
    case 'DEL':
    case 'withdraw':
      return call.of === name ? outcomesOf(outcome, before, ['absent']) : [before];
    case 'GC':
      return name === 'd1' || call.keep.includes(name) ? [before] : outcomesOf(outcome, before, ['absent']);
    case 'repair':
    case 'docker':
    case 'rebuild':
      // A half-created object of a crashed call may be deleted; one that a call is working on stays.
      return before === 'broken' ? ['broken', 'absent'] : [before];
    default:
      return [before];
  }
}

function outcomesOf({ begin, end, error }: Outcome, before: State, after: readonly State[]): readonly State[] {
  if (begin === undefined) return [before];
  if (end === undefined) return [before, 'broken', ...after];
  return error === undefined ? after : [before, ...(before === 'absent' ? [] : (['broken', 'absent'] as const))];
}
