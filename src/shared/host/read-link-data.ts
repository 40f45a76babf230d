import { given } from '../model/given.ts';
import type { LinkState } from '../model/link.ts';
import type { TunState } from '../model/link-data.ts';
import { IPVLAN_FLAG, IPVLAN_MODE, type LinkInfo, MACVLAN_MODE, TUN_TYPE, VLAN_PROTOCOL } from '../netlink/link.ts';

type LinkData = Pick<LinkState, 'macvlan' | 'ipvlan' | 'vlan' | 'vrf' | 'vrfTable' | 'tun'>;

/** The keys of a link that has such data. */
export function linkData({ macvlan, ipvlan, vlan, vrf, vrfPort, tun }: LinkInfo): LinkData {
  return given({
    macvlan: macvlan && macvlanState(macvlan),
    ipvlan: ipvlan && ipvlanState(ipvlan),
    vlan: vlan && vlanState(vlan),
    vrf: vrf?.table === undefined ? undefined : { table: vrf.table },
    vrfTable: vrfPort?.table,
    tun: tun && tunState(tun),
  });
}

/** Undefined for a mode that is newer than this program. */
function macvlanState({ mode, bcQueueLength }: NonNullable<LinkInfo['macvlan']>): LinkData['macvlan'] {
  const word = wordOf(MACVLAN_MODE, mode);
  return word && { mode: word, ...given({ bcQueueLength }) };
}

function ipvlanState({ mode, flags = 0 }: NonNullable<LinkInfo['ipvlan']>): LinkData['ipvlan'] {
  const [word, flag] = [wordOf(IPVLAN_MODE, mode), wordOf(IPVLAN_FLAG, flags)];
  return word && flag && { mode: word, flag };
}

/** Kernels before 3.10 report no protocol. */
function vlanState({ id, protocol = VLAN_PROTOCOL['802.1Q'] }: NonNullable<LinkInfo['vlan']>): LinkData['vlan'] {
  const word = wordOf(VLAN_PROTOCOL, protocol);
  return word && id !== undefined ? { id, protocol: word } : undefined;
}

function tunState({ owner, group, type, ...flags }: NonNullable<LinkInfo['tun']>): TunState | undefined {
  const { multiQueue = false, vnetHdr = false } = flags;
  const word = wordOf(TUN_TYPE, type);
  return word && { type: word, ...given({ owner, group }), multiQueue, vnetHdr };
}

function wordOf<T extends string>(words: Readonly<Record<T, number>>, number: number | undefined): T | undefined {
  return (Object.keys(words) as T[]).find((word) => words[word] === number);
}
