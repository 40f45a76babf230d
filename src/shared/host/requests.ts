import type { Op } from '../model/op.ts';
import type { Request } from '../netlink/socket.ts';
import { changeAddress, changeForwarding, changeNeighbour, changeRoute } from './address-requests.ts';
import { changeVlan, type Resolver, setPort } from './link-requests.ts';
import { changeRule } from './rules.ts';
import { changeTbf } from './shaping-requests.ts';

/** Ops that do not map to one rtnetlink message. */
type OtherOp = Extract<
  Op,
  {
    op:
      | 'link.create'
      | 'link.set'
      | 'link.delete'
      | 'link.move'
      | 'announce'
      | 'sysctl.set'
      | 'firewall.add'
      | 'firewall.delete'
      | 'conntrack.flush'
      | 'redirect.add'
      | 'redirect.delete'
      | 'xfrm.state.add'
      | 'xfrm.state.delete'
      | 'xfrm.policy.replace'
      | 'xfrm.policy.delete';
  }
>;

/** Encodes an Op that needs one message only. */
export function requestOf(op: Exclude<Op, OtherOp>, resolver: Resolver): Request {
  switch (op.op) {
    case 'port.set':
      return setPort(op);
    case 'vlan.add':
    case 'vlan.delete':
      return changeVlan(op, resolver);
    case 'addr.add':
    case 'addr.delete':
      return changeAddress(op, resolver);
    case 'route.add':
    case 'route.delete':
      return changeRoute(op, resolver);
    case 'rule.add':
    case 'rule.delete':
      return changeRule(op);
    case 'neigh.add':
    case 'neigh.replace':
    case 'neigh.delete':
      return changeNeighbour(op, resolver);
    case 'fdb.add':
    case 'fdb.replace':
    case 'fdb.delete':
      return changeForwarding(op, resolver);
    case 'tbf.add':
    case 'tbf.delete':
      return changeTbf(op, resolver);
  }
}
