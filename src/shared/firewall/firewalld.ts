import { innerDevices } from '../host/bridges.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { LogFields, Logger } from '../log/log.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { callFirewalld } from './firewalld-bus.ts';
import { readZones, type Zones } from './firewalld-rules.ts';
import { type KnownRuleset, WHOLE } from './known-ruleset.ts';

/** As netavark and the reference's firewall plugin: firewalld always has it. Only dockerd makes a zone `docker`. */
export const ZONE = 'trusted';

/** firewalld does not want the change, or it has been made. */
const SETTLED: readonly (string | undefined)[] = ['ZONE_ALREADY_SET', 'ALREADY_ENABLED', 'UNKNOWN_INTERFACE'];

/** What the log said about a device already. */
const said = new Set<string>();

/**
 * Keeps devices of ours in a zone of firewalld that accepts, in its runtime configuration only. Leaves a device where an
 * administrator put it, and one that leads out of the host: others use it too. Failures are logged, not thrown: a
 * firewalld that restarts must not fail an ADD, and CHECK and the daemon look again.
 */
export class Firewalld {
  readonly #ns: LinuxNamespace;
  readonly #log: Pick<Logger, 'warn'> | undefined;
  readonly #known: KnownRuleset;
  #read: { readonly generation: number; readonly zones: Zones | undefined } | undefined;

  constructor(ns: LinuxNamespace, known: KnownRuleset, log?: Pick<Logger, 'warn'>) {
    this.#ns = ns;
    this.#known = known;
    this.#log = log;
  }

  /** Returns the devices that `add` would put into the zone; with `onlyDropped`, also those in another that drops. */
  missing(socket: NetlinkSocket, devices: readonly string[], onlyDropped: boolean): string[] {
    const zones = this.#zones(socket);
    if (zones === undefined) return [];
    const shut = devices.filter((device) => zones.stateOf(device) === 'drops');
    for (const device of shut) this.#left(device);
    const found = [...this.unplaced(socket, devices), ...(onlyDropped ? shut : [])];
    return found.length === 0 ? [] : innerDevices(this.#ns, found);
  }

  /** Returns the devices that are in no zone, where the default zone drops. */
  unplaced(socket: NetlinkSocket, devices: readonly string[]): string[] {
    const zones = this.#zones(socket);
    return zones === undefined ? [] : devices.filter((device) => zones.stateOf(device) === 'none');
  }

  async add(socket: NetlinkSocket, devices: readonly string[]): Promise<void> {
    for (const device of this.missing(socket, devices, false)) {
      const { ok, code, text } = await callFirewalld(this.#ns, 'addInterface', ZONE, device);
      if (ok || SETTLED.includes(code)) said.delete(this.#key('firewalld.failed', device));
      else if (code === 'ZONE_CONFLICT') this.#left(device);
      else this.#once('firewalld.failed', { device, zone: ZONE, error: text });
    }
  }

  /** Removes the devices from the zone unless the permanent configuration has them there. */
  async remove(socket: NetlinkSocket, devices: readonly string[]): Promise<void> {
    for (const device of devices) {
      if (this.#zones(socket)?.zoneOf(device) !== ZONE) continue;
      const permanent = await callFirewalld(this.#ns, 'permanentZone', device);
      if (permanent.ok && permanent.text !== '') continue;
      const { ok, code, text } = await callFirewalld(this.#ns, 'removeInterface', ZONE, device);
      if (!ok && !SETTLED.includes(code)) this.#once('firewalld.failed', { device, zone: ZONE, error: text });
    }
  }

  /** Rereads the zones after each change of nftables. Without firewalld, changes of our own do not count. */
  #zones(socket: NetlinkSocket): Zones | undefined {
    const generation = this.#known.look(socket);
    if (this.#known.has(NO_ZONES)) return undefined;
    if (this.#read?.generation !== generation) this.#read = { generation, zones: readZones(socket) };
    if (this.#read.zones === undefined) this.#known.keep(NO_ZONES, 'network');
    return this.#read.zones;
  }

  #left(device: string): void {
    this.#once('firewalld.left', { device, hint: 'it is in a zone that drops: the administrator chose it' });
  }

  #once(event: string, fields: LogFields & { readonly device: string }): void {
    const key = this.#key(event, fields.device);
    if (said.has(key)) return;
    said.add(key);
    this.#log?.warn(event, fields);
  }

  #key(event: string, device: string): string {
    return `${event} ${this.#ns.id} ${device}`;
  }
}

/** No transaction of ours makes zones. */
const NO_ZONES = `${WHOLE}no zones of firewalld`;
