import { hasCode, NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import type { TapLink } from '../model/link-data.ts';
import type { Op } from '../model/op.ts';
import { EBUSY, EEXIST, EINVAL, ENODEV, EOPNOTSUPP, ERANGE, IFNAMSIZ } from '../netlink/constants.ts';
import type { Answer } from '../netlink/message.ts';
import type { Request } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import { createTap } from '../netlink/tun.ts';
import { missingLink, opError } from './failure.ts';
import { UNKNOWN_KIND } from './link-failure.ts';
import {
  createLink,
  deleteLink,
  type MessageLink,
  moveLink,
  type Resolver,
  renameLink,
  setLink,
} from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { parentFacts } from './parent-facts.ts';

/** What works in two namespaces, or in one by other means than a message of the batch. Each throws NetError. */

type CreateOp = Extract<Op, { op: 'link.create' }>;
type MoveOp = Extract<Op, { op: 'link.move' }>;

interface Places {
  /** The namespace of the parent: IFLA_LINK is an index there. */
  readonly parents: LinuxNamespace;
  readonly target: LinuxNamespace;
}

/** Creates a link in `target` on a parent that is elsewhere. */
export function createAcross(op: MessageLink, { parents, target }: Places, resolver: Resolver): void {
  const failed = ({ errno, text }: Answer): NetError => opError(op, errno, text, { parent: parentFacts(op, parents) });
  const answer = send(parents, createLink(op, resolver));
  if (answer.errno === 0) return;
  if (answer.errno !== EEXIST || linkIndex(target.route.fd, op.name) !== undefined) throw failed(answer);
  // An older kernel looks for the name in the namespace of the socket: no matter there, it needs another name at first.
  const name = `isth-${Math.random().toString(36).slice(2, 10)}`;
  const again = send(parents, createLink({ ...op, name, up: false }, resolver));
  if (again.errno !== 0) throw failed(again);
  const index = linkIndex(target.route.fd, name);
  if (index === undefined) throw missingLink(op, name);
  const renamed = send(target, renameLink(index, op.name, op.up));
  if (renamed.errno === 0) return;
  send(target, deleteLink(index));
  throw failed(renamed);
}

/** Creates a tap with all its attributes, or nothing. */
export function createTapLink(op: CreateOp & { readonly link: TapLink }, ns: LinuxNamespace, resolver: Resolver): void {
  // TUNSETIFF would cut the name, and choose one itself where it gets none.
  if (Buffer.byteLength(op.name) >= IFNAMSIZ) throw opError(op, ERANGE);
  if (op.name === '') throw opError(op, EINVAL);
  try {
    ns.within(() => createTap(op.name, op.link));
  } catch (error) {
    throw tapError(op, error);
  }
  const { mac, mtu, group, alias, master, up } = op;
  const set = given({ mac, mtu, group, alias, master, up });
  if (Object.keys(set).length === 0) return;
  const index = linkIndex(ns.route.fd, op.name);
  if (index === undefined) throw missingLink(op, op.name);
  try {
    const { errno, text } = send(ns, setLink(op.name, set, resolver));
    if (errno !== 0) throw opError(op, errno, text);
  } catch (error) {
    send(ns, deleteLink(index));
    throw error;
  }
}

/** Moves a link and renames it; after a failure it is where it was, under its own name. */
export function moveAcross(op: MoveOp, from: LinuxNamespace, to: LinuxNamespace): void {
  const index = linkIndex(from.route.fd, op.name);
  if (index === undefined) throw missingLink(op, op.name);
  if (linkIndex(to.route.fd, op.toName) !== undefined) throw opError(op, EEXIST);
  const { errno, text } = send(from, moveLink(index, to.fd, op.toName));
  if (errno === 0) return;
  // The kernel moves first (do_setlink in net/core/rtnetlink.c): a name that it refuses leaves the link over there.
  const there = linkIndex(from.route.fd, op.name) === undefined ? linkIndex(to.route.fd, op.name) : undefined;
  if (there !== undefined) send(to, moveLink(there, from.fd, op.name));
  throw opError(op, errno, text);
}

/** Opening says ENOENT or ENODEV where the kernel has no tun, TUNSETIFF says EBUSY where the name exists. */
function tapError(op: CreateOp, error: unknown): unknown {
  if (hasCode(error, ['ENOENT', 'ENODEV', 'ENXIO'])) return opError(op, EOPNOTSUPP, UNKNOWN_KIND, { cause: error });
  if (error instanceof NetError && error.errno !== undefined)
    return opError(op, error.errno === EBUSY ? EEXIST : error.errno, '', { cause: error });
  if (!(error instanceof Error && 'errno' in error && typeof error.errno === 'number')) return error;
  return opError(op, -error.errno, '', { cause: error });
}

function send(ns: LinuxNamespace, request: Request): Answer {
  return ns.route.exchange([request])[0] ?? { errno: ENODEV, text: '' };
}
