import { NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { EAFNOSUPPORT, EPROTONOSUPPORT } from '../netlink/constants.ts';
import type { Message } from '../netlink/message.ts';
import type { Request } from '../netlink/socket.ts';
import {
  decodePolicy,
  decodeState,
  encodePolicy,
  encodePolicyId,
  encodeState,
  encodeStateId,
  XFRM_MSG_DELPOLICY,
  XFRM_MSG_DELSA,
  XFRM_MSG_GETPOLICY,
  XFRM_MSG_GETSA,
  XFRM_MSG_NEWSA,
  XFRM_MSG_UPDPOLICY,
} from '../netlink/xfrm.ts';
import { opError } from './failure.ts';
import type { View } from './host.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

/** Ops of IPsec. */
export type TransformOp = Extract<
  Op,
  { op: 'xfrm.state.add' | 'xfrm.state.delete' | 'xfrm.policy.replace' | 'xfrm.policy.delete' }
>;

export function isTransform(op: Op): op is TransformOp {
  return op.op.startsWith('xfrm.');
}

/** Runs the Ops in order. Returns one failure for each that the kernel refuses. */
export function changeTransforms(ops: readonly TransformOp[], ns: LinuxNamespace): NetError[] {
  try {
    const replies = ns.xfrm.exchange(ops.map(requestOf));
    return ops.flatMap((op, i) => {
      const { errno = 0, text = '' } = replies[i] ?? {};
      return errno === 0 ? [] : [opError(op, errno, text)];
    });
  } catch (thrown) {
    if (!isWithout(thrown)) throw thrown;
    return ops.map((op) => opError(op, EPROTONOSUPPORT));
  }
}

/** Reads nothing unless asked. A kernel without IPsec has none. */
export function readTransforms(ns: LinuxNamespace, isAsked: boolean): Pick<View, 'states' | 'policies'> {
  if (!isAsked) return { states: [], policies: [] };
  const dump = (type: number): Message[] => ns.xfrm.dump({ type, payload: new Uint8Array() });
  try {
    return {
      states: dump(XFRM_MSG_GETSA).flatMap(({ payload }) => decodeState(payload) ?? []),
      policies: dump(XFRM_MSG_GETPOLICY).flatMap(({ payload }) => decodePolicy(payload) ?? []),
    };
  } catch (thrown) {
    if (!isWithout(thrown)) throw thrown;
    return { states: [], policies: [] };
  }
}

function requestOf(op: TransformOp): Request {
  switch (op.op) {
    case 'xfrm.state.add':
      return { type: XFRM_MSG_NEWSA, payload: encodeState(op.state) };
    case 'xfrm.state.delete':
      return { type: XFRM_MSG_DELSA, payload: encodeStateId(op.state) };
    case 'xfrm.policy.replace':
      return { type: XFRM_MSG_UPDPOLICY, payload: encodePolicy(op.policy) };
    case 'xfrm.policy.delete':
      return { type: XFRM_MSG_DELPOLICY, payload: encodePolicyId(op.policy) };
  }
}

/** Opening the socket says so. */
function isWithout(thrown: unknown): boolean {
  return thrown instanceof NetError && (thrown.errno === EPROTONOSUPPORT || thrown.errno === EAFNOSUPPORT);
}
