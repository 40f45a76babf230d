import { given } from '../model/given.ts';
import type { Json } from '../model/json.ts';
import { readMtu } from './interface-values.ts';

/** Options of the ptp driver. Masquerade and published ports are those of FirewallOptions. */
export interface PtpOptions {
  readonly driver: 'ptp';
  /** Bytes, of both ends; absent: the kernel's default. */
  readonly mtu?: number;
}

/** Parses the keys of driver `ptp` in a configuration of valid shape. Throws NetError `invalid-config`. */
export function parsePtp(config: Json): PtpOptions {
  return { driver: 'ptp', ...given({ mtu: readMtu(config) }) };
}
