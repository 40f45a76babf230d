import { formatAddr } from '../../../src/shared/model/addr.ts';
import { attachmentOf, NAMES, type Name, perform, SCOPE, type Scene } from './parties.ts';
import type { Party } from './process.ts';
import { printRecords } from './records.ts';
import { runSchedule } from './scheduler.ts';
import { World } from './world.ts';

/** The attached parties, and whether Docker holds the network. */
export interface Desired {
  readonly present: ReadonlySet<Name>;
  readonly isHeld: boolean;
}

/** The whole state: records, kernel and packet filter, line by line. */
interface Printed {
  readonly records: readonly string[];
  readonly kernel: readonly string[];
  readonly filter: readonly string[];
}

/**
 * Compares the world with one in which only the desired objects were ever created, with the same addresses: `-` lines
 * are missing, `+` lines are left over. Empty if records, kernel and packet filter are exactly as desired.
 */
export async function differences(world: World, desired: Desired, published: ReadonlySet<Name>): Promise<string[]> {
  const isThere = desired.present.size > 0 || desired.isHeld;
  const found = print(world);
  const wanted = await ideal(world, desired, published);
  return (['records', 'kernel', 'filter'] as const).flatMap((part) => {
    const extra = beyond(found[part], wanted[part]).filter((line) => !isThere || !isKept(line));
    return [
      ...beyond(wanted[part], found[part]).map((line) => `- ${part}: ${line}`),
      ...extra.map((line) => `+ ${part}: ${line}`),
    ];
  });
}

/** The network's rules for published ports and guarded pods stay until the network is deleted. */
function isKept(line: string): boolean {
  return line.includes('route_localnet') || line.includes('"hairpin"') || line.includes('"gateways"');
}

/** Ideal worlds by their parameters: few differ. */
const ideals = new Map<string, Promise<Printed>>();

function ideal(world: World, desired: Desired, published: ReadonlySet<Name>): Promise<Printed> {
  const { leases } = world.openStore();
  const addresses = new Map(
    NAMES.map((name) => [name, leases.list(SCOPE, attachmentOf(name)).map(({ address }) => address)]),
  );
  const texts = [...desired.present].map((name) => [
    name,
    published.has(name),
    (addresses.get(name) ?? []).map((address) => formatAddr(address)),
  ]);
  const key = JSON.stringify([desired.isHeld, texts]);
  const known = ideals.get(key) ?? make(desired, { published, addresses, reports: new Map() });
  ideals.set(key, known);
  return known;
}

async function make({ present, isHeld }: Desired, scene: Scene): Promise<Printed> {
  const made = new World();
  const calls = [
    ...(isHeld ? [{ name: 'network create' } as const] : []),
    ...[...present].map((of) => (of === 'd1' ? ({ name: 'offer', of } as const) : ({ name: 'ADD', of } as const))),
  ];
  for (const call of calls) {
    const party: Party = { name: call.name, run: (core) => perform(core, call, scene) };
    const { outcomes } = await runSchedule(made, [{ parties: [party], isDaemon: false }], { first: 0, turns: [] });
    if (outcomes[0]?.error !== undefined) throw outcomes[0].error;
  }
  return print(made);
}

function print(world: World): Printed {
  return {
    records: [...printRecords(world), ...world.locks.held.map((key) => `lock ${key}`)].sort(),
    kernel: world.host.toString().split('\n').sort(),
    filter: world.filter
      .list()
      .map((entry) => JSON.stringify(entry, Object.keys(entry).sort()))
      .sort(),
  };
}

function beyond(lines: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return lines.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}
