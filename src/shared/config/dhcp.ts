import { field, isObject, textField } from '../model/json.ts';
import type { CniArgs } from './cni-args.ts';
import { invalid } from './invalid.ts';
import { assertShape, respell } from './shape.ts';
import { ipamDhcp } from './validators.generated.js';

const KEYS = ['type', 'name', 'daemonSocketPath', 'priority', 'provide', 'request'];
const ITEM_KEYS = ['option', 'value', 'fromArg', 'skipDefault'];

/** What the DHCP client asks for and tells. */
export interface DhcpOptions {
  /** Codes of options, in this order. */
  readonly request: readonly number[];
  readonly provide: readonly ProvidedOption[];
  /** Metric of the routes. Default: none. */
  readonly priority?: number;
}

export interface ProvidedOption {
  readonly code: number;
  readonly value: string;
}

/** The names that the reference's dhcp has for options; every other option goes by its code. */
const NAMES: ReadonlyMap<string, number> = new Map([
  ['dhcp-client-identifier', 61],
  ['subnet-mask', 1],
  ['routers', 3],
  ['host-name', 12],
  ['user-class', 77],
  ['vendor-class-identifier', 60],
]);

/**
 * Routers and mask, as the reference; and what the result and the interface are made from besides: name servers, domain,
 * MTU, static routes, search list, classless routes. RFC 3442 has option 121 before 3.
 */
const USUAL: readonly number[] = [1, 121, 3, 33, 6, 15, 119, 26];
/** Pad, end, and the options that make the protocol itself: address, overload, type, server, parameters, size. */
const OWN: readonly number[] = [0, 50, 52, 53, 54, 55, 57, 255];
/** Bytes of all provided values: a DISCOVER is one frame of Ethernet. */
const MOST_BYTES = 1000;

/**
 * Parses the configuration of dhcp. `daemonSocketPath` is for the reference's daemon only. Throws NetError
 * `invalid-config`, naming JSON path, value, rule and remedy.
 */
export function parseDhcp(given: unknown, args: CniArgs): DhcpOptions {
  const ipam = isObject(given) ? spelt(respell(given, KEYS)) : given;
  assertShape(ipamDhcp, ipam, '.ipam', false);
  const priority = field(ipam, 'priority');
  const provide = itemsOf(ipam, 'provide').flatMap((item, i) => readProvided(item, `.ipam.provide[${i}]`, args));
  const length = provide.reduce((sum, { value }) => sum + Buffer.byteLength(value), 0);
  if (length > MOST_BYTES) {
    const what = `its values have ${length} bytes, ${MOST_BYTES} are the limit`;
    throw invalid('.ipam.provide', undefined, what, 'Provide fewer or shorter options');
  }
  return {
    request: readRequested(itemsOf(ipam, 'request')),
    provide,
    // Go writes 0 for an absent value.
    ...(typeof priority === 'number' && priority > 0 ? { priority } : {}),
  };
}

/** `fromArg` names a key of CNI_ARGS; without that key the option is left out, as by the reference. */
function readProvided(item: unknown, path: string, args: CniArgs): ProvidedOption[] {
  const code = readCode(item, path);
  if (OWN.includes(code)) {
    const hint = 'Provide options that describe the client';
    throw invalid(`${path}.option`, field(item, 'option'), 'the client sets it itself', hint);
  }
  const [value, from] = [textField(item, 'value'), textField(item, 'fromArg')];
  if (value !== undefined && from !== undefined)
    throw invalid(`${path}.fromArg`, from, `${path}.value is there too`, 'Give one of the two');
  const found = value ?? (from === undefined ? undefined : args.get(from));
  return found === undefined ? [] : [{ code, value: found }];
}

function readRequested(items: readonly unknown[]): number[] {
  const wanted = new Set(USUAL);
  for (const [i, item] of items.entries()) {
    const code = readCode(item, `.ipam.request[${i}]`);
    if (field(item, 'skipDefault') === true) wanted.delete(code);
    else wanted.add(code);
  }
  return [...wanted];
}

function readCode(item: unknown, path: string): number {
  const option = field(item, 'option');
  const named = typeof option === 'string' ? NAMES.get(option) : undefined;
  const code = named ?? (/^\d{1,3}$/.test(String(option)) ? Number(option) : Number.NaN);
  if (code <= 255) return code;
  const hint = `Give a code from 1 to 254, or one of ${[...NAMES.keys()].join(', ')}`;
  throw invalid(`${path}.option`, option, 'it is no option of DHCP', hint);
}

function itemsOf(ipam: unknown, key: string): readonly unknown[] {
  const items = field(ipam, key);
  return Array.isArray(items) ? items : [];
}

function spelt(ipam: Readonly<Record<string, unknown>>): unknown {
  const items = (value: unknown): unknown =>
    Array.isArray(value) ? value.map((item) => (isObject(item) ? respell(item, ITEM_KEYS) : item)) : value;
  return {
    ...ipam,
    ...('provide' in ipam ? { provide: items(ipam.provide) } : {}),
    ...('request' in ipam ? { request: items(ipam.request) } : {}),
  };
}
