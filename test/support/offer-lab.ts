import type { Core } from '../../src/shared/core/core.ts';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import type { Host } from '../../src/shared/host/host.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { changeCount } from '../../src/shared/store/changes.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { addressesOf } from './offers.ts';
import { snapshot } from './snapshot.ts';
import { makeTempDir } from './temp.ts';

/** Addresses of the host's link to `outside`: the host's own, and the neighbour's. */
export const UPLINK: Readonly<Record<Family, readonly [host: string, outside: string]>> = {
  4: ['192.0.2.1', '192.0.2.9'],
  6: ['2001:db8:1::1', '2001:db8:1::9'],
};

/** A host with a neighbour, containers without anything, and a core that works on it in this process. */
export interface OfferLab extends Disposable {
  readonly core: Core;
  readonly stateDir: string;
  readonly host: TestNetns;
  readonly outside: TestNetns;
  readonly containers: readonly TestNetns[];
  /** Container number `n`, counted from 2 as endpoints are. */
  container(n: number): TestNetns;
  /** Everything that could have been changed. */
  snapshot(): string;
}

/** A core on the namespace at `path`, with its state in `stateDir`. `wrap` changes what the kernel does. */
export function openCoreAt(path: string, stateDir: string, wrap = (host: Host): Host => host): Core & Disposable {
  const linux = openLinuxHost({ ISTHMUS_HOST_ID: 'isth-lab' });
  const own = linux.open(path);
  const host = wrap({
    identity: linux.identity,
    own,
    open: (other) => linux.open(other),
    observe: (ns, query) => linux.observe(ns, query),
    apply: (ops, namespaces) => linux.apply(ops, namespaces),
    revert: (ops, namespaces) => linux.revert(ops, namespaces),
  });
  const store = openSqliteStore({ stateDir, identity: linux.identity });
  const locks = new LockQueue(stateDir);
  const firewallers = new Map<FirewallBackend, Firewaller>();
  const ignore = (): void => {};
  return {
    host,
    store,
    changes: changeCount(stateDir, host.identity),
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    lock: (key) => locks.lock(key),
    firewall: (backend) => {
      const found = firewallers.get(backend) ?? openFirewaller(backend, own, { lock: (key) => locks.lock(key) });
      firewallers.set(backend, found);
      return found;
    },
    plugin: (name) => Promise.reject(new Error(`there is no plugin ${name} here`)),
    delegate: (type) => {
      throw new Error(`there is no ${type} here`);
    },
    [Symbol.dispose]: () => {
      for (const firewaller of firewallers.values()) firewaller[Symbol.dispose]();
      store[Symbol.dispose]();
      own[Symbol.dispose]();
      linux[Symbol.dispose]();
    },
  };
}

/** The whole lab; `dispose` deletes all of it. */
export function makeOfferLab(count: number): OfferLab {
  using made = new DisposableStack();
  const host = made.use(makeNetns('h-'));
  const outside = made.use(makeNetns('o-'));
  const containers = Array.from({ length: count }, () => made.use(makeNetns('c-')));
  const temp = made.use(makeTempDir());
  for (const ns of [host, outside, ...containers]) {
    ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0');
    ns.ip('link', 'set', 'lo', 'up');
  }
  host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  host.ip('link', 'add', 'up0', 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
  outside.ip('link', 'set', 'eth0', 'up');
  for (const [family, length] of [
    [4, 24],
    [6, 64],
  ] as const) {
    const [own, other] = UPLINK[family];
    host.ip('addr', 'add', `${own}/${length}`, 'dev', 'up0');
    outside.ip('addr', 'add', `${other}/${length}`, 'dev', 'eth0');
    outside.ip(`-${family}`, 'route', 'add', 'default', 'via', own);
  }
  const stateDir = `${temp.path}/state`;
  const core = made.use(openCoreAt(host.path, stateDir));
  const stack = made.move();
  return {
    core,
    stateDir,
    host,
    outside,
    containers,
    container: (n) => {
      const found = containers[n - 2];
      if (found === undefined) throw new Error(`there is no container ${n}`);
      return found;
    },
    snapshot: () => snapshot({ netns: [host, ...containers], stateDir }),
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** What dockerd does between Join and the start: the interface is in the container as eth0, with all it needs. */
export function enter(host: TestNetns, container: TestNetns, { ifName }: Attachment, n: number, mac?: string): void {
  host.ip('link', 'set', ifName, 'netns', container.name);
  container.ip('link', 'set', ifName, 'name', 'eth0');
  if (mac !== undefined) container.ip('link', 'set', 'eth0', 'address', mac);
  const { addresses } = addressesOf(n);
  container.run('sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0');
  for (const { address } of addresses) container.ip('addr', 'add', formatPrefix(address), 'dev', 'eth0');
  container.ip('link', 'set', 'eth0', 'up');
  for (const { address, gateway } of addresses) {
    container.ip(
      `-${address.addr.family}`,
      'route',
      'add',
      'default',
      'via',
      gateway === undefined ? '' : formatAddr(gateway),
    );
  }
}

/** What dockerd does on Leave: the interface is in the host again, under the name that it was offered by. */
export function leave(host: TestNetns, container: TestNetns, { ifName }: Attachment): void {
  container.ip('link', 'set', 'eth0', 'down');
  container.ip('link', 'set', 'eth0', 'name', ifName);
  container.ip('link', 'set', ifName, 'netns', host.name);
}
