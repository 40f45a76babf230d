import type { Json } from '../model/json.ts';
import { type DummyOptions, parseDummy } from './dummy.ts';
import { type HostDeviceOptions, parseHostDevice } from './host-device.ts';
import { type IpvlanOptions, parseIpvlan } from './ipvlan.ts';
import { type MacvlanOptions, parseMacvlan } from './macvlan.ts';
import { type PtpOptions, parsePtp } from './ptp.ts';
import { parseRemote, type RemoteOptions } from './remote.ts';
import { parseTap, type TapOptions } from './tap.ts';
import { parseVlan, type VlanOptions } from './vlan.ts';

/** Options of a driver whose interface has no side on the host. */
export type InsideOptions =
  | MacvlanOptions
  | IpvlanOptions
  | VlanOptions
  | DummyOptions
  | TapOptions
  | HostDeviceOptions;

/** Options of a driver whose interface is on no bridge of the host. */
export type InterfaceOptions = InsideOptions | PtpOptions | RemoteOptions;

export type InterfaceDriver = InterfaceOptions['driver'];

const PARSERS: { readonly [D in InterfaceDriver]: (config: Json) => Extract<InterfaceOptions, { driver: D }> } = {
  macvlan: parseMacvlan,
  ipvlan: parseIpvlan,
  vlan: parseVlan,
  ptp: parsePtp,
  dummy: parseDummy,
  tap: parseTap,
  'host-device': parseHostDevice,
  remote: parseRemote,
};

/** Parses the keys of a driver in a configuration of valid shape. Throws NetError `invalid-config`. */
export function parseInterfaceOptions(driver: InterfaceDriver, config: Json): InterfaceOptions {
  return PARSERS[driver](config);
}
