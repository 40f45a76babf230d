import { makeNetns, type TestNetns } from './netns.ts';

/** A network that a host has a cable to. */
export interface Lan extends Disposable {
  readonly ns: TestNetns;
  /** Interface of the host. */
  readonly parent: string;
}

export const LAN4 = '10.5.0.1';
export const LAN6 = 'fd00:5::1';

/** Connects the host to a LAN with one machine, which has `LAN4`/24 and `LAN6`/64. */
export function makeLan(host: TestNetns, parent = 'up0'): Lan {
  const ns = makeNetns('lan');
  try {
    host.ip('link', 'add', parent, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', ns.name);
    ns.ip('addr', 'add', `${LAN4}/24`, 'dev', 'lan0');
    ns.ip('addr', 'add', `${LAN6}/64`, 'dev', 'lan0', 'nodad');
    ns.ip('link', 'set', 'lan0', 'up');
    host.ip('link', 'set', parent, 'up');
  } catch (error) {
    ns[Symbol.dispose]();
    throw error;
  }
  return { ns, parent, [Symbol.dispose]: () => ns[Symbol.dispose]() };
}

/** One echo request is answered within a second. */
export function reaches(ns: TestNetns, address: string): boolean {
  try {
    ns.run('busybox', 'ping', '-c1', '-W1', address);
    return true;
  } catch {
    return false;
  }
}
