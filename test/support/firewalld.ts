import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Daemon, TestHost } from './test-host.ts';

/** firewalld in a test host, on a D-Bus of its own. */
export interface FirewalldSite {
  readonly bus: Daemon;
  /** The one that was started last. */
  readonly firewalld: Daemon;
  /** firewalld runs again, on the same D-Bus, after it has ended. */
  startAgain(): Promise<void>;
  /** Both end; their rules go. */
  stop(): Promise<void>;
}

export const FIREWALLD = '/usr/sbin/firewalld';

const BUS = '/run/dbus/system_bus_socket';

export async function startFirewalld(host: TestHost): Promise<FirewalldSite> {
  host.run('sh', '-c', `mkdir -p /run/dbus; rm -f ${BUS}`);
  const command = ['dbus-daemon', '--system', '--nofork', '--nopidfile'];
  const bus = await host.start('dbus', command, () => existsSync(host.outside(BUS)));
  let firewalld = await startOnly(host);
  return {
    bus,
    get firewalld() {
      return firewalld;
    },
    async startAgain() {
      firewalld = await startOnly(host);
    },
    async stop() {
      await firewalld.stop();
      await bus.stop();
    },
  };
}

/** Milliseconds between two looks at a firewalld that starts, which takes it a second. */
const LOOK_MS = 100;

/** On the D-Bus that is there. */
function startOnly(host: TestHost): Promise<Daemon> {
  let next = 0;
  return host.start('firewalld', ['firewalld', '--nofork', '--nopid'], () => {
    if (performance.now() < next) return false;
    next = performance.now() + LOOK_MS;
    const { ok, output } = busctl(host, 'get-property', NAME, PATH, NAME, 'state');
    return ok && output.includes('"RUNNING"');
  });
}

const NAME = 'org.fedoraproject.FirewallD1';
const PATH = '/org/fedoraproject/FirewallD1';
const CONFIG = `${PATH}/config`;

/**
 * The machine's busctl on the test host's D-Bus: tests replace or remove the host's own. It takes 3 ms of processor
 * time, firewall-cmd 350 ms.
 */
function busctl(host: TestHost, ...words: readonly string[]): { ok: boolean; output: string; error: string } {
  const options = [`--address=unix:path=${host.outside(BUS)}`, '--auto-start=no', '--json=short', '--'];
  const ran = spawnSync('busctl', [...options, ...words], { encoding: 'utf8', timeout: 30_000 });
  return { ok: ran.status === 0, output: ran.stdout, error: ran.error?.message ?? ran.stderr };
}

/** The first value that a method of firewalld returns, undefined where it returns none; all arguments are strings. */
function call(host: TestHost, object: string, method: string, ...args: readonly string[]): unknown {
  const dot = method.lastIndexOf('.');
  const signature = args.length > 0 ? ['s'.repeat(args.length)] : [];
  const words = ['call', NAME, object, `${NAME}${method.slice(0, dot)}`, method.slice(dot + 1), ...signature, ...args];
  const { ok, output, error } = busctl(host, ...words);
  if (!ok) throw new Error(`${method}(${args.join(', ')}): ${error}`);
  return output.trim() === '' ? undefined : JSON.parse(output).data[0];
}

function callForWords(host: TestHost, object: string, method: string, ...args: readonly string[]): string[] {
  const words = call(host, object, method, ...args);
  if (!Array.isArray(words)) throw new Error(`${method} returned ${JSON.stringify(words)}`);
  return words.map(String);
}

const permanentZone = (host: TestHost, zone: string): string =>
  String(call(host, CONFIG, '.config.getZoneByName', zone));

/** Equivalent: `firewall-cmd --zone=ZONE --list-sources`, or `--list-interfaces`; sorted. */
export function membersOf(host: TestHost, zone: string, kind: 'Sources' | 'Interfaces'): string[] {
  return callForWords(host, PATH, `.zone.get${kind}`, zone).toSorted();
}

/** Equivalent: the same with `--permanent`. */
export function permanentMembersOf(host: TestHost, zone: string, kind: 'Sources' | 'Interfaces'): string[] {
  return callForWords(host, permanentZone(host, zone), `.config.zone.get${kind}`).toSorted();
}

export type ZoneChange = 'addSource' | 'removeSource' | 'addInterface' | 'removeInterface';

/** Equivalent: `firewall-cmd --zone=ZONE --add-source=MEMBER`, and so on. */
export function changeZone(host: TestHost, change: ZoneChange, zone: string, member: string): void {
  call(host, PATH, `.zone.${change}`, zone, member);
}

/** Equivalent: the same with `--permanent`. */
export function changePermanentZone(host: TestHost, change: ZoneChange, zone: string, member: string): void {
  call(host, permanentZone(host, zone), `.config.zone.${change}`, member);
}

/** The zone's permanent configuration is what its package ships. Equivalent: `--permanent --load-zone-defaults=ZONE`. */
export function resetPermanentZone(host: TestHost, zone: string): void {
  call(host, permanentZone(host, zone), '.config.zone.loadDefaults');
}

/** What is not permanent is gone from the zones. Equivalent: `firewall-cmd --reload`. */
export function reloadZones(host: TestHost): void {
  call(host, PATH, '.reload');
}

/** Empty where it is in none. Equivalent: `firewall-cmd --get-zone-of-interface=DEVICE`. */
export function zoneOfInterface(host: TestHost, device: string): string {
  return String(call(host, PATH, '.zone.getZoneOfInterface', device));
}

/** All settings of all zones, a line each. Equivalent: `firewall-cmd --list-all-zones`. */
export function allZones(host: TestHost): string {
  const lines = callForWords(host, PATH, '.zone.getZones').map(
    (zone) => `${zone} ${JSON.stringify(call(host, PATH, '.zone.getZoneSettings2', zone))}`,
  );
  return lines.toSorted().join('\n');
}

/** The zones that have interfaces or sources, and these. Equivalent: `firewall-cmd --get-active-zones`. */
export function activeZones(host: TestHost): string {
  return JSON.stringify(call(host, PATH, '.zone.getActiveZones'));
}
