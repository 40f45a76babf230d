import type { TestNetns } from './netns.ts';

/** Kinds of links that a kernel may lack, and the option that it lacks then. */
export const KIND_OPTIONS = {
  ipvlan: 'CONFIG_IPVLAN',
  vlan: 'CONFIG_VLAN_8021Q',
  dummy: 'CONFIG_DUMMY',
  vrf: 'CONFIG_NET_VRF',
  'VLAN filtering': 'CONFIG_BRIDGE_VLAN_FILTERING',
} as const;
export type Kind = keyof typeof KIND_OPTIONS;

const WORDS: Readonly<Record<Kind, readonly string[]>> = {
  ipvlan: ['link', 'probe1', 'type', 'ipvlan'],
  vlan: ['link', 'probe1', 'type', 'vlan', 'id', '10'],
  dummy: ['type', 'dummy'],
  vrf: ['type', 'vrf', 'table', '10'],
  'VLAN filtering': ['type', 'bridge', 'vlan_filtering', '1'],
};

/** Why the kernel cannot make links of this kind; undefined if it can. Tries it in the namespace. */
export function kindMissing(ns: TestNetns, kind: Kind): string | undefined {
  ns.ip('link', 'add', 'probe1', 'type', 'veth', 'peer', 'name', 'probe2');
  try {
    ns.ip('link', 'add', 'probe0', ...WORDS[kind]);
    ns.ip('link', 'del', 'probe0');
    return undefined;
  } catch {
    return `this kernel has no ${kind} (${KIND_OPTIONS[kind]})`;
  } finally {
    ns.ip('link', 'del', 'probe1');
  }
}
