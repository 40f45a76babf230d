import fc from 'fast-check';
import { attachmentKey } from '../../../src/shared/core/endpoints/delete-endpoint.ts';
import { hostIfName } from '../../../src/shared/model/attachment.ts';
import { allowedHolding, allowedStates, type Made, type State } from './expected.ts';
import type { PartyCore } from './gate.ts';
import { attachmentOf, type Call, type CallName, type Name, NAMES, type PodName, perform, type Scene, start } from './parties.ts';
import type { Party } from './process.ts';
import { runSchedule, type Schedule } from './scheduler.ts';
import { differences, isNetworkHeld, stateOf } from './settled.ts';
import { World } from './world.ts';

/** How an attachment is found: `dead` calls were killed after so many steps. `lost`: its interface has gone. */
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
  /** Docker keeps the network at the beginning. */
  readonly held: boolean;
  readonly published: readonly Name[];
  readonly schedule: Schedule;
}

/** Everything that was wrong at the end, and what was done, as lines. Without a fault all is as it should be. */
export interface Verdict {
  readonly faults: readonly string[];
  readonly lines: readonly string[];
}

const PODS: readonly PodName[] = ['c1', 'c2'];
const STEPS = 90;

export function scenarios(names: readonly CallName[]): fc.Arbitrary<Scenario> {
  const target = fc.constantFrom<PodName>('c1', 'c1', 'c2');
  const turns = fc.array(fc.oneof(fc.nat(12), fc.nat(STEPS)), { maxLength: 4 });
  const kill = fc.option(fc.record({ party: fc.nat(names.length - 1), step: fc.nat(STEPS) }), { nil: undefined, freq: 2 });
  return fc
    .record({
      targets: fc.tuple(...names.map(() => target)),
      apart: fc.boolean(),
      daemons: fc.tuple(...names.map(() => fc.boolean())),
      priors: fc.tuple(prior(), prior(), fc.constantFrom<Prior>({ is: 'none' }, { is: 'ready' }, { is: 'lost' })),
      held: fc.boolean(),
      published: fc.subarray<Name>([...NAMES]),
      schedule: fc.record({ first: fc.nat(names.length - 1), turns, kill }),
    })
    .map(({ targets, priors: [c1, c2, d1], ...rest }) => {
      const calls = names.map((name, i) => callOf(name, targets[i] ?? 'c1', names, targets));
      return { ...rest, calls, prior: { c1: fit(c1, 'c1', calls), c2: fit(c2, 'c2', calls), d1: fit(d1, 'd1', calls) } };
    });
}

function prior(): fc.Arbitrary<Prior> {
  return fc.oneof(
    fc.constantFrom<Prior>({ is: 'none' }, { is: 'ready' }),
    fc.record({ is: fc.constantFrom('dead ADD', 'dead DEL'), steps: fc.nat(STEPS) }),
  );
}

/** A GC keeps what anybody adds or checks meanwhile: a runtime knows of those. */
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

/** An ADD of what is there already and a CHECK of what is not are dull. */
function fit(found: Prior, name: Name, calls: readonly Call[]): Prior {
  const added = calls.some((call) => (call.name === 'ADD' || call.name === 'offer') && call.of === name);
  const checked = calls.some((call) => call.name === 'CHECK' && call.of === name);
  if (added && found.is === 'ready') return { is: 'none' };
  return checked && !added ? { is: 'ready' } : found;
}

export async function runScenario(scenario: Scenario): Promise<Verdict> {
  const { calls, apart, daemons, schedule, published } = scenario;
  const world = new World();
  const scene: Scene = { published: new Set(published), reports: new Map() };
  await prepare(world, scenario, scene);
  const before = new Map(NAMES.map((name) => [name, stateOf(world, name)]));
  const wasHeld = isNetworkHeld(world);
  const parties = calls.map((call): Party => ({ name: nameOf(call), run: (core) => perform(core, call, scene) }));
  const specs = apart
    ? parties.map((party, i) => ({ parties: [party], isDaemon: daemons[i] ?? false }))
    : [{ parties, isDaemon: true }];
  const { outcomes, lines, stuck } = await runSchedule(world, specs, schedule, lockName);
  const made = calls.flatMap((call, i): Made[] => (outcomes[i] === undefined ? [] : [{ call, outcome: outcomes[i] }]));
  if (stuck !== undefined) return { faults: [stuck], lines };
  const found = [...lines];
  const faults: string[] = made.flatMap((one) => unexplained(one, before));
  const allowed = new Map(NAMES.map((name) => [name, allowedStates(name, before.get(name) ?? 'absent', made)]));
  const held = allowedHolding(wasHeld, made);
  const isBroken = NAMES.some((name) => allowed.get(name)?.has('broken')) || scenario.prior.d1.is === 'lost';
  if (isBroken || outcomes.some(({ killed }) => killed)) {
    faults.push(...(await judged(world, scene, allowed, held, true)).map((fault) => `before the last start: ${fault}`));
    found.push('a daemon starts, with nobody else running');
    faults.push(...(await alone(world, 'start', async (core) => start(core).then(throwFirst))));
  }
  faults.push(...(await judged(world, scene, allowed, held, false)));
  return { faults, lines: found };
}

/** What is wrong where nobody runs. With `early`, whatever may be broken is left out. */
async function judged(
  world: World,
  scene: Scene,
  allowed: ReadonlyMap<Name, ReadonlySet<State>>,
  held: ReadonlySet<boolean>,
  early: boolean,
): Promise<string[]> {
  const faults: string[] = [];
  const present = new Set<Name>();
  for (const name of NAMES) {
    const may = allowed.get(name) ?? new Set();
    const is = stateOf(world, name);
    if (early && may.has('broken')) continue;
    const [only] = may;
    const ok = may.has(is) || (!early && is === 'absent' && may.has('broken'));
    if (!ok) faults.push(`${name} is ${is} on record, which no serial order gives: ${[...may].join(' or ')}`);
    if (ok ? is === 'present' : only === 'present') present.add(name);
  }
  const isHeld = held.has(isNetworkHeld(world)) === isNetworkHeld(world);
  if (!held.has(isNetworkHeld(world))) faults.push(`the network is ${isHeld ? 'not ' : ''}kept by Docker`);
  if (early) return faults;
  const kept = held.size === 1 ? held.has(true) : isNetworkHeld(world);
  try {
    faults.push(...(await differences(world, { present, isHeld: kept }, scene.published)));
  } catch (error) {
    faults.push(`nothing like it can be made: ${error}`);
  }
  for (const pod of PODS) {
    if (!present.has(pod) || !scene.reports.has(pod)) continue;
    faults.push(...(await alone(world, `CHECK ${pod}`, (core) => perform(core, { name: 'CHECK', of: pod }, scene))));
  }
  return faults;
}

function throwFirst(errors: readonly unknown[]): void {
  if (errors[0] !== undefined) throw errors[0];
}

/** A failure of a call that no other call gives reason for. */
function unexplained({ call, outcome: { error, killed } }: Made, before: ReadonlyMap<Name, State>): string[] {
  if (error === undefined || killed) return [];
  const kind = typeof error === 'object' && error !== null && 'kind' in error ? error.kind : 'none';
  const text = `${nameOf(call)} fails: ${error instanceof Error ? error.message : error}`;
  if (kind === 'busy' || (kind === 'bad-environment' && call.name === 'ADD')) return [];
  if (call.name === 'CHECK' && before.get(call.of) !== 'present') return [];
  return call.name === 'CHECK' ? [] : [text];
}

/** Calls that end before the schedule begins. */
async function prepare(world: World, { prior, held }: Scenario, scene: Scene): Promise<void> {
  await alone(world, 'first', (core) => perform(core, { name: 'reload' }, scene));
  if (held) await alone(world, 'create', (core) => perform(core, { name: 'network create' }, scene));
  for (const pod of PODS) {
    const how = prior[pod];
    if (how.is === 'none') continue;
    const add = { name: 'ADD', of: pod } as const;
    await alone(world, 'ADD', (core) => perform(core, add, scene), how.is === 'dead ADD' ? how.steps : undefined);
    if (how.is === 'dead DEL') await alone(world, 'DEL', (core) => perform(core, { name: 'DEL', of: pod }, scene), how.steps);
  }
  if (prior.d1.is === 'none') return;
  await alone(world, 'offer', (core) => perform(core, { name: 'offer', of: 'd1' }, scene));
  if (prior.d1.is !== 'lost') return;
  const { host } = world;
  host.apply([{ op: 'link.delete', ns: 'host', name: hostIfName(attachmentOf('d1')) }], { host: host.own });
}

/** Runs in a process of its own, and dies after `steps`. Returns why it failed. */
async function alone(
  world: World,
  name: string,
  run: (core: PartyCore) => Promise<unknown>,
  steps?: number,
): Promise<string[]> {
  const kill = steps === undefined ? undefined : { party: 0, step: steps };
  const specs = [{ parties: [{ name, run }], isDaemon: false }];
  const { outcomes, stuck } = await runSchedule(world, specs, { first: 0, turns: [], kill });
  const error = stuck ?? outcomes[0]?.error;
  return error === undefined ? [] : [`${name} fails: ${error instanceof Error ? error.message : error}`];
}

export function nameOf(call: Call): string {
  if ('of' in call) return `${call.name} web/${call.of}`;
  return 'keep' in call ? `GC (keeps ${call.keep.join(', ') || 'nobody'})` : call.name;
}

function lockName(key: string): string {
  const name = NAMES.find((one) => attachmentKey(attachmentOf(one)) === key);
  return name === undefined ? key : `attachment:web/${name}`;
}
