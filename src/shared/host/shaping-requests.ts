import type { Op } from '../model/op.ts';
import { tbfState } from '../model/shaping.ts';
import {
  EINVAL,
  ENOENT,
  ETH_P_ALL,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELQDISC,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
  TC_ACT_STOLEN,
  TC_H_INGRESS,
  TC_H_ROOT,
  TC_INGRESS_HANDLE,
  TC_LINKLAYER_ETHERNET,
  TC_U32_TERMINAL,
  TCA_EGRESS_REDIR,
} from '../netlink/constants.ts';
import type { Request } from '../netlink/socket.ts';
import { filter, filterInfo, qdisc } from '../netlink/tc.ts';
import type { Resolver } from './link-requests.ts';

type TbfOp = Extract<Op, { op: 'tbf.add' | 'tbf.delete' }>;
type RedirectOp = Extract<Op, { op: 'redirect.add' | 'redirect.delete' }>;

const CREATE = NLM_F_CREATE | NLM_F_EXCL;
const U32_MAX = 0xffffffff;

/** Major number of our token buckets, `tc`'s `handle 4953:`; any other number is foreign. */
export const TBF_HANDLE = 0x4953_0000;
/** Priority of the filter that redirects. */
export const REDIRECT_PRIORITY = 1;

/**
 * Names the link layer, so that the kernel computes transmission times without a rate table, and gives the burst in
 * bytes, so that it is not capped at four seconds (tbf_change in net/sched/sch_tbf.c).
 */
export function changeTbf(op: TbfOp, resolver: Resolver): Request {
  const header = { index: resolver.index(op.dev), handle: TBF_HANDLE, parent: TC_H_ROOT };
  if (op.op === 'tbf.delete') {
    return { type: RTM_DELQDISC, payload: qdisc.encode({ header, attrs: { kind: 'tbf' } }) };
  }
  const { rate, burst } = op;
  const { ticks, limit } = tbfState(op);
  const parms = {
    linkLayer: TC_LINKLAYER_ETHERNET,
    rate: Math.min(rate, U32_MAX),
    limit,
    buffer: ticks,
  };
  const tbf = {
    parms: { header: parms, attrs: {} },
    rate64: rate > U32_MAX ? rate : undefined,
    burst,
  };
  return { type: RTM_NEWQDISC, flags: CREATE, payload: qdisc.encode({ header, attrs: { kind: 'tbf', tbf } }) };
}

/** Creates the device's ingress qdisc; the filter follows once it exists. */
export function addIngress(op: RedirectOp, resolver: Resolver): Request {
  return { type: RTM_NEWQDISC, flags: CREATE, payload: ingress(resolver.index(op.dev)) };
}

/** Uses u32 instead of matchall: every kernel with sch_ingress for containers has it, because the reference uses it. */
export function addRedirect(op: RedirectOp, resolver: Resolver): Request {
  const header = {
    index: resolver.index(op.dev),
    parent: TC_INGRESS_HANDLE,
    info: filterInfo(REDIRECT_PRIORITY, ETH_P_ALL),
  };
  const mirred = { action: TC_ACT_STOLEN, direction: TCA_EGRESS_REDIR, to: resolver.index(op.to) };
  const first = { kind: 'mirred', mirred: { parms: { header: mirred, attrs: {} } } };
  const selector = { flags: TC_U32_TERMINAL, keys: [{ mask: 0, value: 0, offset: 0 }] };
  const attrs = { kind: 'u32', u32: { selector, actions: { first } } };
  return { type: RTM_NEWTFILTER, flags: CREATE, payload: filter.encode({ header, attrs }) };
}

/** Deletes the ingress qdisc with its filters. */
export function deleteIngress(index: number): Request {
  return { type: RTM_DELQDISC, payload: ingress(index) };
}

/** The kernel answers EINVAL if the device's qdisc has another kind or handle: the Op's qdisc does not exist. */
export function shapingErrno(op: Op, errno: number): number {
  const deletes = op.op === 'tbf.delete' || op.op === 'redirect.delete';
  return deletes && errno === EINVAL ? ENOENT : errno;
}

function ingress(index: number): Uint8Array {
  const header = { index, handle: TC_INGRESS_HANDLE, parent: TC_H_INGRESS };
  return qdisc.encode({ header, attrs: { kind: 'ingress' } });
}
