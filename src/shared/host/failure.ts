import type { ErrorKind } from '../errors/catalog.ts';
import { fault } from '../errors/fault.ts';
import { hasCode, NetError } from '../errors/net-error.ts';
import { formatPorts } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { parentedLink } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { ruleText } from '../model/rule.ts';
import {
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EEXIST,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  EPROTONOSUPPORT,
  ESRCH,
} from '../netlink/constants.ts';
import { strerror } from '../netlink/sys.ts';
import { missingKind, type ParentFacts, parentHint, whyRefused } from './link-failure.ts';
import { spiText } from './render-xfrm.ts';

/** The subject of an Op and its failure, for a message. */
interface Words {
  readonly subject: string;
  readonly what: string;
}

/** What else is known of a failure. */
interface More {
  readonly cause?: unknown;
  /** The parent of the link to create. */
  readonly parent?: ParentFacts | undefined;
}

/**
 * The NetError for an Op that the kernel refused with `errno`; `text` is that of the extended ack. Kind: `exists` for
 * EEXIST, `unsupported` for EOPNOTSUPP, else `kernel`.
 */
export function opError(op: Op, errno: number, text = '', { cause, parent }: More = {}): NetError {
  const { subject, what } = wordsOf(op);
  const lacks = missingKind(op, errno, text);
  const why = op.op === 'link.create' ? whyRefused(op, errno, parent) : undefined;
  const isExplained = errno === EOPNOTSUPP && why !== undefined;
  const hint =
    lacks === undefined ? hintOf(op, isExplained ? 0 : errno) : 'Load its module, or use a kernel that has it';
  return new NetError({
    kind: kindOf(op, errno),
    op: op.op,
    subject,
    what: lacks ?? (errno === EEXIST ? `${what}; ${existing(op)}` : why === undefined ? what : `${what}; ${why}`),
    errno,
    reason: text === '' ? strerror(errno) : `${strerror(errno)}: ${text}`,
    ...given({ hint, cause }),
  });
}

/** The NetError `kernel` ENODEV for a link whose parent does not exist. */
export function missingParent(op: Op, dev: string): NetError {
  const what = `its parent ${dev} does not exist in the namespace where this step looks for it`;
  return fault.kernel(op.op, wordsOf(op).subject, what, undefined, { errno: ENODEV, reason: strerror(ENODEV) });
}

/** The NetError `kernel` ENODEV for an Op whose link does not exist. */
export function missingLink(op: Op, name: string): NetError {
  return fault.kernel(op.op, `link ${name}`, 'there is no such link in the namespace of this step', undefined, {
    errno: ENODEV,
    reason: strerror(ENODEV),
  });
}

/** The NetError `conflict` for the deletion of a link whose kind differs from the Op's. */
export function otherKind(op: Extract<Op, { op: 'link.delete' }>, kind: string | undefined): NetError {
  const what = `it is of kind ${kind ?? 'none'} and not ${op.kind}, so it is left alone`;
  return fault.conflict(op.op, `link ${op.name}`, what, undefined, { errno: ENODEV });
}

/** The NetError for an Op that cannot run as written; it changes nothing. */
export function badOp(op: Op, what: string): NetError {
  return fault.internal(op.op, wordsOf(op).subject, what);
}

/** Explains why a host refuses Ops that belong to a firewaller. */
export const NO_FIREWALL = 'the packet filter is no part of the host';

/** Returns true if the failure says that the object to delete does not exist. */
export function isAbsence(error: NetError): boolean {
  return ABSENCE.includes(error.errno ?? 0);
}

/** Returns true if opening failed because the path is no such namespace; false if the cause is unknown. */
export function isNoNamespace(thrown: unknown): boolean {
  if (!(thrown instanceof NetError) || thrown.kind !== 'invalid-namespace') return false;
  return !hasCode(thrown.cause, ['EACCES', 'EPERM']);
}

const ABSENCE: readonly number[] = [ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL];

function kindOf(op: Op, errno: number): ErrorKind {
  if (errno === EEXIST) return 'exists';
  return errno === EOPNOTSUPP || lacksModule(op, errno) ? 'unsupported' : 'kernel';
}

function hintOf(op: Op, errno: number): string | undefined {
  if (errno === EPERM) return 'CAP_NET_ADMIN in the namespace is needed';
  if (errno === ENETUNREACH && op.op === 'route.add') {
    return 'The gateway has to be inside a subnet of the interface, or the route onlink';
  }
  if (errno === EEXIST && op.op === 'link.create' && op.link.kind === 'vxlan')
    return `A VXLAN device with VNI ${op.link.id} may be in another namespace: remove it`;
  if (op.op === 'xfrm.state.add' && lacksModule(op, errno))
    return 'This kernel has to have ESP (esp4, esp6) and AES-GCM (gcm, seqiv)';
  if (lacksModule(op, errno)) {
    const modules = op.op === 'tbf.add' ? 'sch_tbf' : 'sch_ingress, cls_u32 and act_mirred';
    return `This kernel has to have ${modules}: load them, or ask for no bandwidth limit`;
  }
  if (errno !== EOPNOTSUPP) return parentHint(op, errno);
  return op.op === 'link.create' ? `This kernel lacks links of kind ${op.link.kind} with these options` : undefined;
}

/** The kernel has no ESP (xfrm_init_state, net/xfrm/xfrm_state.c), or no AES-GCM (attach_aead, net/xfrm/xfrm_user.c). */
const WITHOUT_ESP: readonly number[] = [EPROTONOSUPPORT, EAFNOSUPPORT, ENOSYS];

/** ENOENT also means that the kernel lacks this kind of traffic control (qdisc_create in net/sched/sch_api.c). */
function lacksModule(op: Op, errno: number): boolean {
  if (op.op === 'xfrm.state.add') return WITHOUT_ESP.includes(errno);
  return errno === ENOENT && (op.op === 'tbf.add' || op.op === 'redirect.add');
}

function wordsOf(op: Op): Words {
  switch (op.op) {
    case 'link.create':
      return { subject: `link ${op.name}`, what: `${createdLink(op)} was not created` };
    case 'link.set':
      return { subject: `link ${op.name}`, what: `${JSON.stringify(op.set)} was not set` };
    case 'link.delete':
      return { subject: `link ${op.name}`, what: 'it was not deleted' };
    case 'link.move':
      return { subject: `link ${op.name}`, what: `it was not moved to the ${op.to} as ${op.toName}` };
    case 'port.set':
      return { subject: `bridge port ${op.name}`, what: `${JSON.stringify(op.set)} was not set` };
    case 'vlan.add':
    case 'vlan.delete':
      return { subject: `link ${op.name}`, what: `VLAN ${op.vlan.vid} was not ${done(op.op)}` };
    case 'addr.add':
    case 'addr.delete':
      return { subject: `link ${op.dev}`, what: `address ${op.address} was not ${done(op.op)}` };
    case 'route.add':
    case 'route.delete': {
      const { dst, gateway, dev } = op.route;
      return {
        subject: `route ${dst}${gateway ? ` via ${gateway}` : ''}${dev ? ` dev ${dev}` : ''}`,
        what: `it was not ${done(op.op)}`,
      };
    }
    case 'rule.add':
    case 'rule.delete':
      return { subject: ruleText(op.rule), what: `it was not ${done(op.op)}` };
    case 'neigh.add':
    case 'neigh.replace':
    case 'neigh.delete':
      return { subject: `link ${op.dev}`, what: `neighbour ${op.address} ${op.mac} was not ${done(op.op)}` };
    case 'fdb.add':
    case 'fdb.replace':
    case 'fdb.delete':
      return { subject: `link ${op.dev}`, what: `forwarding entry ${op.mac} was not ${done(op.op)}` };
    case 'announce':
      return { subject: `link ${op.dev}`, what: `${op.addresses.join(', ')} were not announced` };
    case 'sysctl.set':
      return { subject: `sysctl ${op.key}`, what: `it was not set to ${JSON.stringify(op.value)}` };
    case 'firewall.add':
    case 'firewall.delete':
      return { subject: `${op.backend} firewall`, what: `${op.entries.length} entries were not ${done(op.op)}` };
    case 'conntrack.flush': {
      const where = `${op.address ?? `any IPv${op.family} address`} port ${formatPorts(op.port, op)}`;
      return { subject: `connections to ${op.protocol} ${where}`, what: 'they were not forgotten' };
    }
    case 'tbf.add':
    case 'tbf.delete':
      return { subject: `link ${op.dev}`, what: `limit of ${op.rate} bytes a second was not ${done(op.op)}` };
    case 'redirect.add':
    case 'redirect.delete':
      return { subject: `link ${op.dev}`, what: `redirection to ${op.to} was not ${done(op.op)}` };
    case 'xfrm.state.add':
    case 'xfrm.state.delete': {
      const { src, dst, spi } = op.state;
      return { subject: `xfrm state ${src} ${dst} ${spiText(spi)}`, what: `it was not ${done(op.op)}` };
    }
    case 'xfrm.policy.replace':
    case 'xfrm.policy.delete': {
      const { direction, src = 'any', dst = 'any', port } = op.policy;
      return { subject: `xfrm policy ${direction} ${src} ${dst} udp ${port}`, what: `it was not ${done(op.op)}` };
    }
  }
}

function createdLink({ name, link }: Extract<Op, { op: 'link.create' }>): string {
  if (link.kind === 'veth') return `veth ${name} with peer ${link.peer.name}`;
  const parent = parentedLink(link);
  return parent === undefined ? `${link.kind} ${name}` : `${link.kind} ${name} on ${parent.dev}`;
}

function existing(op: Op): string {
  return op.op === 'link.move' ? 'a link of that name exists there already' : 'it exists already';
}

function done(op: string): string {
  if (op.endsWith('.replace')) return 'set';
  return op.endsWith('.add') ? 'added' : 'deleted';
}
