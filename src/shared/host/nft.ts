import { NetError } from '../errors/net-error.ts';
import type { NftTable, Op } from '../model/op.ts';
import { ENOENT, NETLINK_NETFILTER, NFPROTO_BRIDGE } from '../netlink/constants.ts';
import { type NftAnswer, runLibnftables } from '../netlink/libnftables.ts';
import { deleteTableAt, rulesetGeneration } from '../netlink/nfnetlink.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { badOp, opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

type ElementOp = Extract<Op, { op: 'nft.element.add' | 'nft.element.delete' }>;

/** Sets of `bridge isthmus`, each with what an element has to look like. Names of links are ours: no quote, no blank. */
const ELEMENTS: Readonly<Record<string, RegExp>> = {
  macspoof: /^"[A-Za-z0-9_.@-]{1,15}" \. [0-9a-f]{2}(:[0-9a-f]{2}){5}$/,
  guarded: /^"[A-Za-z0-9_.@-]{1,15}"$/,
};

/**
 * MAC spoof guard: a frame from a guarded port has to carry a source address allowed on that port. Everything in it
 * can be added again without effect, and the chain is filled anew, all in the transaction of the element.
 */
export const TABLE = `add table bridge isthmus
add set bridge isthmus macspoof { typeof iifname . ether saddr; }
add set bridge isthmus guarded { type ifname; }
add chain bridge isthmus spoof { type filter hook prerouting priority -300; policy accept; }
flush chain bridge isthmus spoof
add rule bridge isthmus spoof iifname @guarded iifname . ether saddr != @macspoof drop
`;

const MAX_ATTEMPTS = 32;

/**
 * The element is in the set, its table made where it was missing; or it is out of it, and the table gone when no set
 * has an element any more. Throws NetError; `errno` is ENOENT for the deletion of what is not there.
 */
export function changeElement(op: ElementOp, ns: LinuxNamespace): void {
  const line = elementLine(op);
  const add = op.op === 'nft.element.add';
  const answer = runScript(ns, add ? `${TABLE}${line}\n` : `${line}\n`);
  if (!answer.ok) throw refused(op, answer.error);
  if (!add) deleteUnusedTable(op, ns);
}

/** `add element bridge isthmus guarded { "veth1" }`. Throws NetError for an element that the set cannot have. */
export function elementLine(op: ElementOp): string {
  if (ELEMENTS[op.set]?.test(op.element) !== true) throw badOp(op, `${op.element} cannot be an element of this set`);
  const verb = op.op === 'nft.element.add' ? 'add' : 'delete';
  return `${verb} element ${op.table} ${op.set} { ${op.element} }`;
}

/** The elements of a set in nft's syntax, or undefined where there is no such set. */
export function listElements(ns: LinuxNamespace, table: NftTable, set: string): string[] | undefined {
  if (ELEMENTS[set] === undefined) return undefined;
  const answer = runScript(ns, `list set ${table} ${set}\n`);
  if (answer.ok) return parseElements(answer.output);
  if (isMissing(answer.error)) return undefined;
  const what = `set ${set} could not be read`;
  throw new NetError({ kind: 'kernel', op: 'nft', subject: table, what, reason: firstLine(answer.error) });
}

/** What stands between the braces of `elements = { … }`, split at the commas outside quotes. */
export function parseElements(listing: string): string[] {
  const start = listing.indexOf('elements = {');
  if (start < 0) return [];
  const inside = listing.slice(start + 'elements = {'.length, listing.indexOf('}', start));
  return (inside.match(/(?:"[^"]*"|[^",])+/g) ?? []).map((element) => element.replace(/\s+/g, ' ').trim());
}

/** Nothing else tells the kernel "only while the sets are empty", so the deletion names the state that was looked at. */
function deleteUnusedTable(op: ElementOp, ns: LinuxNamespace): void {
  using socket = ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const generation = rulesetGeneration(socket);
    const used = Object.keys(ELEMENTS).some((set) => (listElements(ns, op.table, set) ?? []).length > 0);
    if (used) return;
    const result = deleteTableAt(socket, NFPROTO_BRIDGE, 'isthmus', generation);
    if (result === 0 || result === ENOENT) return;
    if (result !== 'changed') throw opError(op, result, 'the empty table was not deleted');
  }
}

function refused(op: ElementOp, error: string): NetError {
  const missing = isMissing(error);
  if (missing) return opError(op, ENOENT, firstLine(error));
  return new NetError({
    kind: 'kernel',
    op: op.op,
    subject: `nft set ${op.table} ${op.set}`,
    what: `element ${op.element} was refused`,
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

/** libnftables in this process, else the `nft` command. */
function runScript(ns: LinuxNamespace, script: string): NftAnswer {
  try {
    return ns.within(() => runLibnftables(script));
  } catch (error) {
    if (!(error instanceof NetError && error.kind === 'unsupported')) throw error;
    return runNftCommand(ns, script);
  }
}

/** The answer of the `nft` command, for machines without the library. */
export function runNftCommand(ns: LinuxNamespace, script: string): NftAnswer {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, stdout, stderr, error } = ns.within(() =>
    spawnSync('nft', ['-f', '-'], { input: script, encoding: 'utf8' }),
  );
  if (error === undefined) return { ok: status === 0, output: stdout, error: stderr };
  const hint = 'Install nftables';
  const what = 'neither libnftables.so.1 nor the command nft can be run';
  throw new NetError({ kind: 'unsupported', op: 'nft', subject: 'ruleset', what, hint, cause: error });
}
