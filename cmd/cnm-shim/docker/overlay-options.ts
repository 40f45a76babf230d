import type { OverlayOptions } from '../../../src/shared/config/overlay.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { TextMap } from './wire/messages.ts';

/** Options of driver `overlay` that the user gives. */
export interface OverlayChoice {
  readonly mode?: OverlayMode;
  readonly vni?: number;
  readonly flood?: boolean;
  /** Each host has an address of its own on the network. */
  readonly hostAddress?: boolean;
  /** Hosts send each other the frames in ESP. */
  readonly encrypted?: boolean;
}

export type OverlayMode = OverlayOptions['mode'];

/** Options that only driver `overlay` has. */
export const OVERLAY_KEYS = ['mode', 'vni', 'flood', 'hostAddress', 'encrypted'] as const;

/** A VNI has 24 bits (RFC 7348, section 5). */
const LAST_VNI = 2 ** 24 - 1;

/** Undefined for other drivers. Throws NetError `invalid-config` that names key, value and rule. */
export function overlayChoice(generic: TextMap, driver: string): OverlayChoice | undefined {
  const { vni = '' } = generic;
  const foreign = OVERLAY_KEYS.find((key) => (generic[key] ?? '') !== '' || (key === 'encrypted' && key in generic));
  if (driver !== 'overlay') {
    if (foreign === undefined) return undefined;
    throw refused(foreign, generic[foreign] ?? '', 'only driver overlay has this option', 'Add -o driver=overlay');
  }
  const mode = modeNamed(generic.mode ?? '', '-o');
  const [flood, hostAddress] = [switched(generic, 'flood'), switched(generic, 'hostAddress')];
  for (const [key, on] of Object.entries({ flood, hostAddress })) {
    if (mode !== 'per-host' || !on) continue;
    const what = 'a routed network (-o mode=per-host) has neither floods nor addresses of hosts';
    throw refused(key, generic[key] ?? '', what, 'Leave it out, or give -o mode=shared');
  }
  const id = /^\d{1,8}$/.test(vni) ? Number(vni) : 0;
  if (vni !== '' && (id < 1 || id > LAST_VNI)) throw refused('vni', vni, 'it is not a VNI', `Give 1 to ${LAST_VNI}`);
  // `-o encrypted` alone switches it on, as with Docker's own driver.
  const encrypted = switched({ encrypted: generic.encrypted === '' ? 'true' : (generic.encrypted ?? '') }, 'encrypted');
  return { ...given({ mode, flood, hostAddress, encrypted }), ...(vni !== '' && { vni: id }) };
}

/** Throws NetError `invalid-config`; undefined for an empty value. */
export function modeNamed(value: string, flag: string): OverlayMode | undefined {
  if (value === '') return undefined;
  if (value === 'shared' || value === 'per-host') return value;
  const hint = 'Give shared or per-host, or leave it out';
  throw fault.invalidConfig('network', `${flag} mode=${value}`, 'it is not a mode', hint);
}

/** Undefined if the option is absent. */
function switched(generic: TextMap, key: string): boolean | undefined {
  const value = generic[key] ?? '';
  if (value === '') return undefined;
  if (/^(1|t|T|true|TRUE|True|on)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False|off)$/.test(value)) return false;
  throw refused(key, value, 'it is neither true nor false', 'Give true or false');
}

function refused(key: string, value: string, what: string, hint: string): NetError {
  return fault.invalidConfig('network', `-o ${key}=${value}`, what, hint);
}
