import { opError } from '../host/failure.ts';
import type { View } from '../host/host.ts';
import type { TransformOp } from '../host/transforms.ts';
import type { XfrmPolicy, XfrmStateId } from '../model/xfrm.ts';
import { EEXIST, ENOENT, EPROTONOSUPPORT, ESRCH } from '../netlink/constants.ts';
import type { FakeNetns } from './fake-netns.ts';

/** A kernel without ESP takes policies all the same. */
export function changeFakeTransforms(op: TransformOp, ns: FakeNetns, hasEsp: boolean): void {
  switch (op.op) {
    case 'xfrm.state.add':
      if (!hasEsp) throw opError(op, EPROTONOSUPPORT);
      if (ns.states.has(stateKey(op.state))) throw opError(op, EEXIST);
      ns.states.set(stateKey(op.state), op.state);
      return;
    case 'xfrm.state.delete':
      if (ns.states.get(stateKey(op.state))?.src !== op.state.src) throw opError(op, ESRCH);
      ns.states.delete(stateKey(op.state));
      return;
    case 'xfrm.policy.replace':
      ns.policies.set(policyKey(op.policy), op.policy);
      return;
    case 'xfrm.policy.delete':
      if (!ns.policies.delete(policyKey(op.policy))) throw opError(op, ENOENT);
  }
}

export function fakeTransforms(ns: FakeNetns, isAsked: boolean): Pick<View, 'states' | 'policies'> {
  if (!isAsked) return { states: [], policies: [] };
  const states = [...ns.states.values()].map(({ key, seconds, ...state }) => state);
  return { states, policies: [...ns.policies.values()] };
}

const stateKey = ({ dst, spi }: XfrmStateId): string => `${dst} ${spi}`;

const policyKey = ({ direction, family, src, dst, port }: XfrmPolicy): string =>
  `${direction} ${family} ${src} ${dst} ${port}`;
