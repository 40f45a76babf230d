import { existsSync } from 'node:fs';
import type { Daemon, TestHost } from './test-host.ts';

/** firewalld in a test host, on a D-Bus of its own. */
export interface FirewalldSite {
  readonly bus: Daemon;
  readonly firewalld: Daemon;
  /** Both end; their rules go. */
  stop(): Promise<void>;
}

export const FIREWALLD = '/usr/sbin/firewalld';

const BUS = '/run/dbus/system_bus_socket';

export async function startFirewalld(host: TestHost): Promise<FirewalldSite> {
  host.run('sh', '-c', `mkdir -p /run/dbus; rm -f ${BUS}`);
  const command = ['dbus-daemon', '--system', '--nofork', '--nopidfile'];
  const bus = await host.start('dbus', command, () => existsSync(host.outside(BUS)));
  const firewalld = await startFirewalldOnly(host);
  return {
    bus,
    firewalld,
    async stop() {
      await firewalld.stop();
      await bus.stop();
    },
  };
}

/** On the D-Bus that is there. */
export function startFirewalldOnly(host: TestHost): Promise<Daemon> {
  const isRunning = (): boolean => host.attempt(['firewall-cmd', '--state']).code === 0;
  return host.start('firewalld', ['firewalld', '--nofork', '--nopid'], isRunning);
}
