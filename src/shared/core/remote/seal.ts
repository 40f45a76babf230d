import type { View, ViewQuery } from '../../host/host.ts';
import type { Family } from '../../model/addr.ts';
import type { Op } from '../../model/op.ts';
import type { XfrmPolicy, XfrmState, XfrmStateId } from '../../model/xfrm.ts';

/** SPI and key of one direction between two hosts. */
export type SealKey = Pick<XfrmState, 'spi' | 'key'>;

/** Another host with endpoints of an encrypted network of this host. */
export interface SealedPeer {
  /** Its underlay address. */
  readonly host: string;
  /** What this host sends with. */
  readonly send: SealKey;
  /** What this host may receive with: of every generation that is alive. */
  readonly receive: readonly SealKey[];
}

/** What encrypted networks send each other. They have a UDP port of their own: ESP is for this port, and for no other. */
export interface Seal {
  readonly port: number;
  readonly family: Family;
  /** Underlay address of this host. */
  readonly local: string;
  readonly peers: readonly SealedPeer[];
}

/** Marks associations and the policies between hosts as ours: `ISTH`. */
export const REQID = 0x49535448;
/** Of the policies between two hosts, and of those that drop what no such policy covers. */
const [ESP, DROP] = [100, 200];

export const SEAL_QUERY: ViewQuery = { transforms: true };

/**
 * The Ops that make the kernel encrypt what the seal says, and drop the rest of its port, both ways; without a seal, what
 * `port` has of ours goes. Associations come before policies, and go after them: a policy without an association loses
 * packets. Empty once the kernel has all. Pure.
 *
 * Run them by `Host.revert`: one entry that the kernel refuses does not stop the others, and leaves a policy that drops.
 */
export function diffSeal(seal: Seal | undefined, port: number, { states, policies }: View): Op[] {
  const wanted = seal === undefined ? { states: [], policies: [] } : desired(seal);
  const foundStates = new Map(states.filter(({ reqid }) => reqid === REQID).map((state) => [stateKey(state), state]));
  const ours = policies.filter((policy) => policy.port === port && isOurs(policy));
  const foundPolicies = new Map(ours.map((policy) => [policyKey(policy), policy]));
  const stateKeys = new Set(wanted.states.map(stateKey));
  const policyKeys = new Set(wanted.policies.map(policyKey));
  return [
    ...wanted.states
      .filter((state) => !foundStates.has(stateKey(state)))
      .map((state): Op => ({ op: 'xfrm.state.add', ns: 'host', state })),
    ...wanted.policies
      .filter((policy) => policyValue(policy) !== policyValue(foundPolicies.get(policyKey(policy))))
      .map((policy): Op => ({ op: 'xfrm.policy.replace', ns: 'host', policy })),
    // What drops the rest goes last.
    ...[...ours.filter(({ through }) => through !== undefined), ...ours.filter(({ through }) => through === undefined)]
      .filter((policy) => !policyKeys.has(policyKey(policy)))
      .map((policy): Op => ({ op: 'xfrm.policy.delete', ns: 'host', policy })),
    ...[...foundStates.values()]
      .filter((state) => !stateKeys.has(stateKey(state)))
      .map((state): Op => ({ op: 'xfrm.state.delete', ns: 'host', state: idOf(state) })),
  ];
}

/** SPIs of what `local` sends with, as far as the kernel has them. */
export function sentWith(local: string | undefined, { states }: View): Set<number> {
  return new Set(states.flatMap(({ src, spi, reqid }) => (src === local && reqid === REQID ? [spi] : [])));
}

function desired({ port, family, local, peers }: Seal): {
  readonly states: readonly XfrmState[];
  readonly policies: readonly XfrmPolicy[];
} {
  const plain = { family, port };
  // A broadcast and a group reach the socket too. Others send to this port of other hosts through this host.
  const block: XfrmPolicy[] = [
    { direction: 'in', ...plain, priority: DROP },
    { direction: 'out', ...plain, src: local, priority: DROP },
  ];
  return {
    states: peers.flatMap(({ host, send, receive }) => [
      ...receive.map((key) => ({ src: host, dst: local, reqid: REQID, ...key })),
      { src: local, dst: host, reqid: REQID, ...send },
    ]),
    policies: [
      ...block,
      ...peers.flatMap(({ host, send }): XfrmPolicy[] => [
        {
          ...{ direction: 'in', ...plain, src: host, dst: local, priority: ESP },
          through: { reqid: REQID, spi: 0 },
        },
        {
          ...{ direction: 'out', ...plain, src: local, dst: host, priority: ESP },
          through: { reqid: REQID, spi: send.spi },
        },
      ]),
    ],
  };
}

/** False for a policy of another program for this port: its priority or its template's reqid differs from ours. */
function isOurs({ through, priority }: XfrmPolicy): boolean {
  return through === undefined ? priority === DROP : through.reqid === REQID;
}

const stateKey = ({ src, dst, spi }: XfrmStateId): string => `${src} ${dst} ${spi}`;
const idOf = ({ src, dst, spi }: XfrmStateId): XfrmStateId => ({ src, dst, spi });

const policyKey = ({ direction, family, src, dst }: XfrmPolicy): string => `${direction} ${family} ${src} ${dst}`;

function policyValue(policy: XfrmPolicy | undefined): string | undefined {
  return policy && `${policy.priority} ${policy.through?.reqid} ${policy.through?.spi}`;
}
