import type { Expression } from '../netlink/nft-rules.ts';
import type { Match, Packet } from './packet-match.ts';

/** linux/netfilter/xt_conntrack.h, struct xt_conntrack_mtinfo3: match_flags, invert_flags, state_mask. */
const CONNTRACK = { flags: 146, inverted: 148, states: 150, bytes: 152 } as const;
const XT_CONNTRACK_STATE = 1;
/** Bits of a state: XT_CONNTRACK_STATE_BIT; DNAT is one of its own. */
const XT_STATES = { new: 8, established: 2 } as const;
const XT_DNAT = 0x80;

/** An extension of iptables. */
export function extension({ match }: Expression, packet: Packet): Match {
  const { name, info = new Uint8Array() } = match ?? {};
  if (name === 'comment') return 'yes';
  if (name !== 'conntrack' || info.length < CONNTRACK.bytes) return 'maybe';
  const view = new DataView(info.buffer, info.byteOffset, info.length);
  const states = view.getUint16(CONNTRACK.states, true);
  if (view.getUint16(CONNTRACK.flags, true) !== XT_CONNTRACK_STATE) return 'maybe';
  if ((states & XT_DNAT) !== 0 && packet.translated === undefined && (states & XT_STATES[packet.state]) === 0)
    return 'maybe';
  const isDnat = (states & XT_DNAT) !== 0 && packet.translated === true;
  const isMatch = (states & XT_STATES[packet.state]) !== 0 || isDnat;
  const isInverted = (view.getUint16(CONNTRACK.inverted, true) & XT_CONNTRACK_STATE) !== 0;
  return isMatch === isInverted ? 'no' : 'yes';
}
