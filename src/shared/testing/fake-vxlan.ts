import { opError } from '../host/failure.ts';
import type { VxlanLink, VxlanState } from '../model/link.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import { EEXIST, EOPNOTSUPP } from '../netlink/constants.ts';
import type { FakeLink, FakeNetns } from './fake-netns.ts';

/** The state of a new device. */
export function vxlanState({ kind, group, dev, ...given }: VxlanLink): VxlanState {
  return {
    port: 4789,
    learning: true,
    proxy: false,
    ttl: 0,
    df: 'unset',
    udpCsum: true,
    zeroCsum6Tx: false,
    zeroCsum6Rx: false,
    ...given,
  };
}

/** A VNI is free once for each port and family of the underlay. */
export function checkVni(op: Op, ns: FakeNetns, made: VxlanLink): void {
  const { id, port, local } = vxlanState(made);
  const isTaken = [...ns.links.values()].some(
    ({ state: { vxlan } }) => vxlan?.id === id && vxlan.port === port && familyOf(vxlan.local) === familyOf(local),
  );
  if (isTaken) throw opError(op, EEXIST);
}

export function setFakeVxlan(op: Op, { state }: FakeLink, set: NonNullable<LinkChanges['vxlan']>): void {
  const { vxlan } = state;
  const isOther = set.local !== undefined && familyOf(set.local) !== familyOf(vxlan?.local);
  if (vxlan === undefined || isOther) throw opError(op, EOPNOTSUPP);
  state.vxlan = { ...vxlan, ...set };
}

/** The family of a device's underlay is that of its own address, IPv4 without one. */
export function familyOf(local: string | undefined): 4 | 6 {
  return local?.includes(':') ? 6 : 4;
}
