import type { Core } from '../../core/core.ts';
import { opDrift, queryOf, routeDrift } from '../../core/diff.ts';
import { EMPTY_VIEW } from '../../core/view.ts';
import type { Host, Namespace, View } from '../../host/host.ts';
import type { NsRef } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';

/** How the effect of an op stands in the kernel; `passing`: it has none that lasts. */
export type Standing = 'present' | 'missing' | 'different' | 'passing';

export interface Compared {
  readonly state: Standing;
  /** Of `different` and some of `missing`: what the kernel has instead. */
  readonly why?: string;
}

const PRESENT: Compared = { state: 'present' };
const MISSING: Compared = { state: 'missing' };
const PASSING: Compared = { state: 'passing' };

/** Compares each op with the host as it is now. Without a sandbox, all that belongs into it is missing. */
export async function compareOps(
  { host, firewall }: Pick<Core, 'host' | 'firewall'>,
  ops: readonly Op[],
  sandbox: Namespace | undefined,
): Promise<Compared[]> {
  const outside = viewOf(host, ops, 'host', host.own);
  const inside = sandbox === undefined ? EMPTY_VIEW : viewOf(host, ops, 'sandbox', sandbox);
  const found: Compared[] = [];
  for (const op of ops) {
    if (op.op !== 'firewall.add') {
      found.push(compareOp(whereMoved(op, ops), outside, inside));
      continue;
    }
    const missing = await firewall(op.backend).missing(op.entries, true);
    const some = `lacks ${missing.length} of ${op.entries.length} entries`;
    found.push(
      missing.length === 0
        ? PRESENT
        : missing.length === op.entries.length
          ? MISSING
          : { state: 'different', why: some },
    );
  }
  return found;
}

/** The op on the link where a later one has moved it. */
function whereMoved(op: Op, ops: readonly Op[]): Op {
  if (op.op !== 'link.set' && op.op !== 'port.set') return op;
  const move = ops.find((one) => one.op === 'link.move' && one.ns === op.ns && one.name === op.name);
  return move?.op === 'link.move' ? { ...op, ns: move.to, name: move.toName } : op;
}

function viewOf(host: Host, ops: readonly Op[], ns: NsRef, open: Namespace): View {
  const own = ops.filter((op) => op.ns === ns);
  const devices = (names: readonly Op['op'][]): string[] =>
    own.flatMap((op) => ('dev' in op && names.includes(op.op) ? [op.dev] : []));
  return host.observe(open, {
    ...queryOf(ops, ns),
    addresses: 'all',
    routes: true,
    neighbours: devices(['neigh.add', 'neigh.replace']),
    forwarding: devices(['fdb.add', 'fdb.replace']),
  });
}

function compareOp(op: Op, outside: View, inside: View): Compared {
  const view = op.ns === 'host' ? outside : inside;
  const isThere = (found: boolean): Compared => (found ? PRESENT : MISSING);
  switch (op.op) {
    case 'addr.add':
      return isThere(view.addresses.some(({ dev, address }) => dev === op.dev && address === op.address));
    case 'route.add':
      return isThere(routeDrift(op.route, view) === undefined);
    case 'neigh.add':
    case 'neigh.replace':
      return isThere(
        view.neighbours.some(({ dev, address, mac }) => dev === op.dev && address === op.address && mac === op.mac),
      );
    case 'fdb.add':
    case 'fdb.replace':
      return isThere(view.forwarding.some(({ dev, mac, dst }) => dev === op.dev && mac === op.mac && dst === op.dst));
    case 'link.create':
    case 'link.set':
    case 'port.set':
      if (!view.links.has(op.name)) return MISSING;
      break;
    case 'sysctl.set':
      if (!view.sysctls.has(op.key)) return op.optional === true ? PASSING : MISSING;
      break;
    case 'tbf.add':
    case 'redirect.add':
    case 'rule.add':
    case 'link.move':
      break;
    default:
      return PASSING;
  }
  // `isInitial` keeps CHECK from comparing what the pod may change.
  const compared = op.op === 'sysctl.set' ? { ...op, isInitial: false } : op;
  const drift = opDrift(compared, outside, inside, []);
  if (drift === undefined) return PRESENT;
  return /is gone|has lost/.test(drift.what) ? MISSING : { state: 'different', why: `${drift.subject} ${drift.what}` };
}
