import { NetError } from '../errors/net-error.ts';
import type { Namespaces, ViewQuery } from '../host/host.ts';
import type { NsRef } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import type { Core } from './core.ts';
import { opDrift } from './verify.ts';

const NOTHING = { interfaces: [], addresses: [], routes: [] };

/** The first of the steps whose effect the kernel or the packet filter does not show, or undefined. */
export async function findOpsDrift(
  core: Core,
  ops: readonly Op[],
  { host, sandbox }: Required<Namespaces>,
): Promise<NetError | undefined> {
  const outside = core.host.observe(host, queryOf(ops, 'host'));
  const inside = core.host.observe(sandbox, queryOf(ops, 'sandbox'));
  for (const op of ops) {
    const links = op.ns === 'host' ? outside.links : inside.links;
    if ('name' in op && op.op !== 'link.delete' && !links.has(op.name)) return gone(op.name);
    const found = op.op === 'firewall.add' ? await firewallDrift(core, op) : opDrift(op, outside, inside, NOTHING);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What has to be seen of a namespace to judge the steps that are in it. */
function queryOf(ops: readonly Op[], ns: NsRef): ViewQuery {
  const own = ops.filter((op) => op.ns === ns);
  const unique = (names: readonly string[]): readonly string[] => [...new Set(names)];
  return {
    links: unique(own.flatMap((op) => ('name' in op ? [op.name] : []))),
    sysctls: own.flatMap((op) => (op.op === 'sysctl.set' ? [op.key] : [])),
    nftSets: own.flatMap((op) => (op.op === 'nft.element.add' ? [{ table: op.table, set: op.set }] : [])),
    shaping: unique(own.flatMap((op) => (op.op === 'tbf.add' || op.op === 'redirect.add' ? [op.dev] : []))),
  };
}

function gone(name: string): NetError {
  return new NetError({
    kind: 'drift',
    op: 'CHECK',
    subject: `link ${name}`,
    what: 'is gone',
    hint: 'Run DEL, then ADD',
  });
}

/** NetError `drift` for the first of the entries that is not in force. */
export async function firewallDrift(
  core: Core,
  op: Extract<Op, { op: 'firewall.add' | 'firewall.delete' }>,
): Promise<NetError | undefined> {
  const [missing] = await core.firewall(op.backend).missing(op.entries);
  if (missing === undefined) return undefined;
  return new NetError({
    kind: 'drift',
    op: 'CHECK',
    subject: `${op.backend} firewall`,
    what: `lacks ${JSON.stringify(missing)}`,
    hint: 'Run DEL, then ADD; or reload, which puts all of it back',
  });
}
