import { type ChildProcess, spawn } from 'node:child_process';
import { makeNetns, type TestNetns } from './netns.ts';
import { waitFor } from './test-host.ts';

/**
 * Gives the namespace an uplink `up0` to a router that announces 2001:db8:9::/64, and waits until it has learned its
 * IPv6 default route. `meanwhile` runs once the uplink is up, before the router advertises. Dispose deletes the router
 * and its dnsmasq. Throws if no route is learned after several advertisements.
 */
export async function acceptRouterAdvertisements(host: TestNetns, meanwhile?: () => void): Promise<Disposable> {
  const router = makeNetns('r');
  let daemon: ChildProcess | undefined;
  const dispose = (): void => {
    daemon?.kill('SIGKILL');
    router[Symbol.dispose]();
  };
  try {
    host.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'r0', 'netns', router.name);
    router.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1', 'net.ipv6.conf.r0.accept_dad=0');
    host.run('sysctl', '-qw', 'net.ipv6.conf.up0.accept_dad=0', 'net.ipv6.conf.up0.accept_ra=1');
    router.ip('addr', 'add', '2001:db8:9::1/64', 'dev', 'r0', 'nodad');
    router.ip('link', 'set', 'r0', 'up');
    host.ip('link', 'set', 'up0', 'up');
    // An uplink is known by a default route of either family, before the router has spoken.
    host.ip('addr', 'add', '198.51.100.9/24', 'dev', 'up0');
    host.ip('route', 'add', 'default', 'via', '198.51.100.1');
    meanwhile?.();
    // An advertisement that comes before an end has its link-local address is lost. A busy kernel takes a while.
    await waitFor('link-local addresses', () => hasLinkLocal(host, 'up0') && hasLinkLocal(router, 'r0'));
    daemon = spawn('nsenter', [`--net=${router.path}`, '--', 'dnsmasq', ...DNSMASQ], { stdio: 'ignore' });
    const learned = (): boolean => {
      if (daemon?.exitCode !== null) throw new Error(`dnsmasq ended with ${daemon?.exitCode}`);
      return defaultRoutes(host).includes('proto ra');
    };
    await waitFor('a router advertisement was accepted', learned, SPEAKS_MS);
    return { [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** True where it may be used: tentative ones are only shown. */
function hasLinkLocal(ns: TestNetns, device: string): boolean {
  return ns.ip('-6', 'addr', 'show', 'dev', device, 'scope', 'link', '-tentative').includes('fe80:');
}

/** dnsmasq speaks within 5 seconds, then in the first minute every 5 to 20 (radv.c, new_timeout). */
const SPEAKS_MS = 60_000;

const DNSMASQ = [
  '--keep-in-foreground',
  '--conf-file=/dev/null',
  '--user=root',
  '--pid-file=',
  '--port=0',
  '--leasefile-ro',
  '--interface=r0',
  '--enable-ra',
  '--dhcp-range=::,constructor:r0,ra-only',
];

/** IPv6 default routes, as `ip` prints them. */
export function defaultRoutes(ns: TestNetns): string {
  return ns.ip('-6', 'route', 'show', 'default').trim();
}
