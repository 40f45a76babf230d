import type { NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { EAFNOSUPPORT, ENODEV, ENOENT } from '../netlink/constants.ts';
import type { Request } from '../netlink/socket.ts';
import { type FlushOp, flushConnections } from './conntrack.ts';
import { opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { parentFacts } from './parent-facts.ts';
import { shapingErrno } from './shaping-requests.ts';
import { type SysctlOp, writeSysctls } from './sysctl.ts';
import { changeTransforms, type TransformOp } from './transforms.ts';

interface Queue<K extends string, T> {
  readonly kind: K;
  readonly ns: LinuxNamespace;
  readonly items: T[];
}

export interface Queues {
  /** `unless`: the errnos that mean there is nothing to do. */
  readonly requests: Queue<
    'requests',
    { readonly op: Op; readonly request: Request; readonly unless: readonly number[] }
  >;
  readonly sysctls: Queue<'sysctls', { readonly op: SysctlOp; readonly path: string }>;
  readonly flushes: Queue<'flushes', FlushOp>;
  readonly transforms: Queue<'transforms', TransformOp>;
}

export type Pending = Queues[keyof Queues];

/** What a missing path is in /proc/sys. */
export const WITHOUT_INET: readonly number[] = [ENODEV, EAFNOSUPPORT];

/** Sends a whole batch, and returns its failures. */
export function carryOut(pending: Pending): NetError[] {
  if (pending.kind === 'requests') return sendRequests(pending);
  if (pending.kind === 'flushes') return flushConnections(pending.items, pending.ns);
  if (pending.kind === 'transforms') return changeTransforms(pending.items, pending.ns);
  return writeSysctls(pending.ns, pending.items);
}

function sendRequests({ ns, items }: Queues['requests']): NetError[] {
  const replies = ns.route.exchange(items.map(({ request }) => request));
  return items.flatMap(({ op, unless }, i) => {
    const { errno = 0, text = '' } = replies[i] ?? {};
    const cause = op.op === 'sysctl.set' && WITHOUT_INET.includes(errno) ? ENOENT : shapingErrno(op, errno);
    if (errno === 0 || unless.includes(errno)) return [];
    return [opError(op, cause, text, { parent: parentFacts(op, ns) })];
  });
}
