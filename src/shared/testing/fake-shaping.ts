import { opError } from '../host/failure.ts';
import { given } from '../model/given.ts';
import type { Op } from '../model/op.ts';
import { type ShapingState, type TbfSpec, tbfState } from '../model/shaping.ts';
import { EEXIST, ENOENT } from '../netlink/constants.ts';
import { linkOf } from './fake-links.ts';
import type { FakeNetns } from './fake-netns.ts';

type ShapingOp = Extract<Op, { op: 'tbf.add' | 'tbf.delete' | 'redirect.add' | 'redirect.delete' }>;

/** One token bucket and one redirection for each device, independent of each other. */
export function changeFakeShaping(op: ShapingOp, ns: FakeNetns): void {
  linkOf(op, ns, op.dev);
  const { tbf, redirect } = ns.shaping.get(op.dev) ?? {};
  switch (op.op) {
    case 'tbf.add': {
      if (tbf !== undefined) throw opError(op, EEXIST);
      const { rate, burst, latency } = op;
      put(ns, op.dev, { rate, burst, latency }, redirect);
      break;
    }
    case 'tbf.delete':
      if (tbf === undefined) throw opError(op, ENOENT);
      put(ns, op.dev, undefined, redirect);
      break;
    case 'redirect.add':
      if (redirect !== undefined) throw opError(op, EEXIST);
      linkOf(op, ns, op.to);
      put(ns, op.dev, tbf, op.to);
      break;
    case 'redirect.delete':
      if (redirect === undefined) throw opError(op, ENOENT);
      if (redirect !== op.to && ns.links.has(redirect)) throw opError(op, ENOENT);
      put(ns, op.dev, tbf, undefined);
      break;
  }
}

/** The form that the kernel reports; a redirection to a deleted device leads nowhere. */
export function fakeShaping(ns: FakeNetns, dev: string): ShapingState {
  const { tbf, redirect } = ns.shaping.get(dev) ?? {};
  return {
    ...(tbf === undefined ? {} : { tbf: tbfState(tbf) }),
    ...(redirect === undefined || !ns.links.has(redirect) ? {} : { redirect }),
  };
}

function put(ns: FakeNetns, dev: string, tbf: TbfSpec | undefined, redirect: string | undefined): void {
  if (tbf === undefined && redirect === undefined) ns.shaping.delete(dev);
  else ns.shaping.set(dev, { ...(tbf && { tbf }), ...given({ redirect }) });
}
