import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import type { NftTable, Op } from '../model/op.ts';
import { ENOENT, NETLINK_NETFILTER } from '../netlink/constants.ts';
import { type NftAnswer, runLibnftables } from '../netlink/libnftables.ts';
import { NFPROTO_BRIDGE } from '../netlink/netfilter.ts';
import { rulesetGeneration } from '../netlink/nfnetlink.ts';
import { deleteTableAt } from '../netlink/nft-batch.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { badOp, opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { runTool } from './tool.ts';

export type ElementOp = Extract<Op, { op: 'nft.element.add' | 'nft.element.delete' }>;

/** Sets of `bridge isthmus`, each with the pattern of its elements. Link names are ours: no quote, no blank. */
const ELEMENTS: Readonly<Record<string, RegExp>> = {
  macspoof: /^"[A-Za-z0-9_.@-]{1,15}" \. [0-9a-f]{2}(:[0-9a-f]{2}){5}$/,
  guarded: /^"[A-Za-z0-9_.@-]{1,15}"$/,
};

const RULE = 'iifname @guarded iifname . ether saddr != @macspoof drop';

/**
 * MAC spoof guard: a frame from a guarded port must carry a source address allowed on that port. All lines are
 * idempotent, and the chain is refilled, in the same transaction as the elements.
 */
export const TABLE = `add table bridge isthmus
add set bridge isthmus macspoof { typeof iifname . ether saddr; }
add set bridge isthmus guarded { type ifname; }
add chain bridge isthmus spoof { type filter hook prerouting priority -300; policy accept; }
flush chain bridge isthmus spoof
add rule bridge isthmus spoof ${RULE}
`;

const MAX_ATTEMPTS = 32;

/**
 * Adds the elements to their sets and repairs the table if it is incomplete; or deletes them, and the table once all
 * sets are empty. All Ops add, or all delete. Returns a NetError for each failed Op; `errno` is ENOENT for the deletion
 * of an absent element.
 */
export function changeElements(ops: readonly ElementOp[], ns: LinuxNamespace): NetError[] {
  const [first] = ops;
  if (first === undefined) return [];
  return first.op === 'nft.element.add' ? addElements(ops, first, ns) : deleteElements(ops, first, ns);
}

function addElements(ops: readonly ElementOp[], first: ElementOp, ns: LinuxNamespace): NetError[] {
  const lines = script(ops);
  // Closing nft's socket after a rule was replaced waits for RCU, about 10 ms: skip the rules if the table is complete.
  const whole = readTable(ns, first.table)?.includes(RULE) ?? false;
  const answer = whole ? runScript(ns, lines) : undefined;
  const { ok, error } = answer?.ok || (answer && !isMissing(answer.error)) ? answer : runScript(ns, TABLE + lines);
  return ok ? [] : [refused(first, error)];
}

function deleteElements(ops: readonly ElementOp[], first: ElementOp, ns: LinuxNamespace): NetError[] {
  const errors: NetError[] = [];
  // One absent element fails the whole transaction; then retry each by itself.
  if (!runScript(ns, script(ops)).ok) {
    for (const op of ops) {
      const { ok, error } = runScript(ns, script([op]));
      if (!ok) errors.push(refused(op, error));
    }
  }
  return [...errors, ...deleteUnusedTable(first, ns)];
}

function script(ops: readonly ElementOp[]): string {
  return ops.map((op) => `${elementLine(op)}\n`).join('');
}

/** `add element bridge isthmus guarded { "veth1" }`. Throws NetError for an element that the set cannot hold. */
export function elementLine(op: ElementOp): string {
  if (ELEMENTS[op.set]?.test(op.element) !== true) throw badOp(op, `${op.element} cannot be an element of this set`);
  const verb = op.op === 'nft.element.add' ? 'add' : 'delete';
  return `${verb} element ${op.table} ${op.set} { ${op.element} }`;
}

/**
 * Returns the elements of a set in nft's syntax. Undefined if the set does not exist, or if the rule that reads the
 * sets is missing: then they guard nothing.
 */
export function listElements(ns: LinuxNamespace, table: NftTable, set: string): string[] | undefined {
  const listing = readTable(ns, table);
  return ELEMENTS[set] !== undefined && listing?.includes(RULE) ? parseElements(listing, set) : undefined;
}

/** Returns the text between the braces of `set <name> { … elements = { … }`, split at commas outside quotes. */
export function parseElements(listing: string, set: string): string[] {
  const body = listing.split(`\tset ${set} {\n`)[1]?.split('\n\t}')[0] ?? '';
  const inside = /elements = \{([^}]*)\}/.exec(body)?.[1] ?? '';
  return (inside.match(/(?:"[^"]*"|[^",])+/g) ?? []).map((element) => element.replace(/\s+/g, ' ').trim());
}

/** Returns nft's listing of a table, or undefined if it does not exist. */
function readTable(ns: LinuxNamespace, table: NftTable): string | undefined {
  const answer = runScript(ns, `list table ${table}\n`);
  if (answer.ok) return answer.output;
  if (isMissing(answer.error)) return undefined;
  const what = 'the table could not be read';
  throw fault.kernel('nft', table, what, undefined, { reason: firstLine(answer.error) });
}

/** The kernel has no "delete if the sets are empty", so the deletion names the generation that was read. */
function deleteUnusedTable(op: ElementOp, ns: LinuxNamespace): NetError[] {
  using socket = ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const generation = rulesetGeneration(socket);
    const listing = readTable(ns, op.table);
    if (listing === undefined || Object.keys(ELEMENTS).some((set) => parseElements(listing, set).length > 0)) return [];
    const result = deleteTableAt(socket, { family: NFPROTO_BRIDGE, table: 'isthmus' }, generation);
    if (result === 0 || result === ENOENT) return [];
    if (result !== 'changed') return [opError(op, result, 'the empty table was not deleted')];
  }
  return [];
}

function refused(op: ElementOp, error: string): NetError {
  const missing = isMissing(error);
  if (missing) return opError(op, ENOENT, firstLine(error));
  return fault.kernel(op.op, `nft set ${op.table} ${op.set}`, `element ${op.element} was refused`, undefined, {
    reason: firstLine(error),
  });
}

function isMissing(error: string): boolean {
  return error.includes('No such file or directory');
}

/** nft repeats the offending input below its message. */
function firstLine(error: string): string {
  return error.split('\n', 1)[0] ?? '';
}

/** Uses libnftables in this process, or the `nft` command in a process that may block. */
function runScript(ns: LinuxNamespace, script: string): NftAnswer {
  try {
    return ns.within(() => runLibnftables(script));
  } catch (error) {
    if (ns.nftCommand === undefined || !(error instanceof NetError && error.kind === 'unsupported')) throw error;
    const { nftCommand } = ns;
    const answer = ns.within(() => nftCommand(script));
    if (answer === undefined) throw withoutNft();
    return answer;
  }
}

/** Runs the `nft` command, for machines without the library. */
export async function runNftCommand(ns: LinuxNamespace, script: string): Promise<NftAnswer> {
  const answer = await runTool(ns, 'nft', ['-f', '-'], script);
  if (answer === undefined) throw withoutNft();
  return answer;
}

function withoutNft(): NetError {
  const what = 'neither libnftables.so.1 nor the command nft can be run';
  return fault.unsupported('nft', 'ruleset', what, 'Install nftables');
}
