/** What a rule does with a packet that it matches; `other` lets it go on (a log, a mark, a condition not looked into). */
export type Does = 'accept' | 'drop' | 'return' | 'jump' | 'other';

/** One of the two rules that let a device's traffic through: what comes in by it, or goes out by it. */
export interface Accept {
  readonly way: 'in' | 'out';
  readonly device: string;
}

export interface FilterRule {
  readonly does: Does;
  /** Where a jump leads. */
  readonly target?: string;
  /** True where no condition stands before it. */
  readonly always: boolean;
  /** Present where the rule is one of ours. */
  readonly admits?: Accept;
}

/** Somebody's table `filter` with its chain FORWARD, of one family and one kind of iptables. */
export interface FilterTable<R extends FilterRule = FilterRule> {
  /** What becomes of a packet at the end of FORWARD. */
  readonly policy: 'accept' | 'drop';
  /** The rules of a chain, in order; none where there is no such chain. */
  rules(chain: string): readonly R[];
}

export type Place = 'DOCKER-USER' | 'FORWARD';

export const PLACES: readonly Place[] = ['DOCKER-USER', 'FORWARD'];

/** Who reads `iptables -S` finds our rules by it, and so do we. */
export const COMMENT = 'isthmus';

export interface Insertion {
  readonly place: Place;
  /** Index, among the rules as they were read, of the one that it goes before; their number for the end. */
  readonly index: number;
  readonly accept: Accept;
}

export interface TableChange<R extends FilterRule> {
  readonly remove: readonly { readonly place: Place; readonly rule: R }[];
  readonly insert: readonly Insertion[];
}

/** Depth of jumps that are followed; more is a chain that nobody wrote by hand. */
const MAX_DEPTH = 16;

/** Those of the devices whose traffic the table drops: the place for it lacks one of their two rules. */
export function unadmitted(table: FilterTable, devices: readonly string[]): string[] {
  const place = placeOf(table);
  if (place === undefined || devices.length === 0) return [];
  const open = table.rules(place).slice(0, boundary(table, place));
  const has = (way: Accept['way'], device: string): boolean =>
    open.some(({ admits }) => admits?.way === way && admits.device === device);
  return devices.filter((device) => !has('in', device) || !has('out', device));
}

/** What lets the traffic of `devices` through where it is dropped; rules of theirs in a wrong place go. */
export function planAdmission<R extends FilterRule>(table: FilterTable<R>, devices: readonly string[]): TableChange<R> {
  const missing = unadmitted(table, devices);
  const place = placeOf(table);
  if (place === undefined || missing.length === 0) return { remove: [], insert: [] };
  // First in FORWARD, whose rules are everybody's. DOCKER-USER is for a host's own restrictions: they come first.
  const index = place === 'FORWARD' ? 0 : boundary(table, place);
  const insert = missing.flatMap((device) =>
    (['in', 'out'] as const).map((way) => ({ place, index, accept: { way, device } })),
  );
  return { remove: ourRules(table, (device) => missing.includes(device)), insert };
}

/** Our rules for devices that `chosen` says yes to, wherever they are. */
export function ourRules<R extends FilterRule>(
  table: FilterTable<R>,
  chosen: (device: string) => boolean,
): { readonly place: Place; readonly rule: R }[] {
  return PLACES.flatMap((place) =>
    table
      .rules(place)
      .filter(({ admits }) => admits !== undefined && chosen(admits.device))
      .map((rule) => ({ place, rule })),
  );
}

/** Where to accept what the table would drop; undefined where it drops nothing. */
function placeOf(table: FilterTable): Place | undefined {
  const docker = table.rules('FORWARD').some(({ does, target }) => does === 'jump' && target === 'DOCKER-USER');
  // Docker drops what goes from one of its networks to another, and puts the policy to DROP when it likes.
  if (docker) return 'DOCKER-USER';
  return (fate(table, 'FORWARD') ?? table.policy) === 'drop' ? 'FORWARD' : undefined;
}

/** Index of the first rule of the chain that ends every packet's way in it; the number of rules without one. */
function boundary(table: FilterTable, place: Place): number {
  const rules = table.rules(place);
  const index = rules.findIndex(
    (rule) => rule.always && (rule.does === 'return' || verdict(table, rule) !== undefined),
  );
  return index < 0 ? rules.length : index;
}

/** What becomes in the chain of a packet that no condition knows; undefined where it comes back. */
function fate(table: FilterTable, chain: string, depth = 0): 'accept' | 'drop' | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const rule of table.rules(chain)) {
    if (!rule.always) continue;
    if (rule.does === 'return') return undefined;
    const found = verdict(table, rule, depth);
    if (found !== undefined) return found;
  }
  return undefined;
}

function verdict(table: FilterTable, { does, target }: FilterRule, depth = 0): 'accept' | 'drop' | undefined {
  if (does === 'accept' || does === 'drop') return does;
  return does === 'jump' && target !== undefined ? fate(table, target, depth + 1) : undefined;
}
