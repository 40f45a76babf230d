import { InvalidArgumentError } from 'commander';
import { invalid } from '../../../src/shared/config/invalid.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import type { PoolCandidate } from '../../../src/shared/core/pools/pools.ts';
import { BITS } from '../../../src/shared/model/addr.ts';
import { parseJson } from '../../../src/shared/model/json.ts';
import { firstOf, parsePrefix } from '../../../src/shared/model/prefix.ts';

/** Keys of a CNI configuration that describe the network, not one endpoint, and have no option of their own here. */
export const NETWORK_KEYS: readonly string[] = [
  ...['bridge', 'mtu', 'isGateway', 'forceAddress', 'hairpinMode', 'promiscMode', 'vlan', 'vlanTrunk'],
  ...['preserveDefaultVlan', 'macspoofchk', 'spoofGuard', 'enabledad', 'portIsolation', 'icc'],
  ...['ipMasq', 'nonMasqueradeCIDRs', 'outboundAddr4', 'outboundAddr6', 'ingressPolicy', 'firewall'],
  'trustedHostInterfaces',
];
/** Keys whose values are text, even if they look like a number. */
const TEXTS: readonly string[] = ['bridge', 'outboundAddr4', 'outboundAddr6', 'ingressPolicy'];

/** Options that replace a key of a CNI configuration. */
const SAID: ReadonlyMap<string, string> = new Map([
  ['name', 'the argument <name>'],
  ['driver', '--driver'],
  ['internal', '--internal'],
  ['ipam', '--subnet, --gateway and --ip-range'],
  ['subnet', '--subnet'],
  ['gateway', '--gateway'],
]);

/** Parses `key=value` texts. Throws NetError `invalid-config` for a key that does not describe a network. */
export function readOptions(texts: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(texts.map(readOption));
}

function readOption(text: string): [string, unknown] {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  const value = text.slice(equals + 1);
  const instead = SAID.get(key);
  if (instead !== undefined) throw invalid('--opt', text, `${instead} says that`, 'See --help');
  if (!NETWORK_KEYS.includes(key)) {
    const near = nearest(key, [...NETWORK_KEYS]);
    const hint = near === undefined ? `Use one of ${NETWORK_KEYS.join(', ')}` : `Did you mean ${near}?`;
    throw invalid('--opt', text, 'networks have no such key', hint);
  }
  if (equals < 0 || value === '') throw invalid('--opt', text, 'it has no value', `Write --opt ${key}=VALUE`);
  return [key, TEXTS.includes(key) ? value : readValue(value)];
}

/** Parses booleans, numbers and lists as JSON, everything else as text. */
function readValue(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

const FORM = /^base=([^,=]+),size=(\d{1,3})$/;
/** A subnet needs room for the gateway and one container. */
const LEAST_HOST_BITS = 2;

/**
 * Adds the candidates of `text` to the earlier ones: `base=10.99.0.0/16,size=24`, or several separated by blanks.
 * Throws InvalidArgumentError.
 */
export function parseAddressPools(text: string, before: readonly PoolCandidate[] = []): PoolCandidate[] {
  return [...before, ...text.split(/\s+/).flatMap((word) => (word === '' ? [] : [parseCandidate(word)]))];
}

function parseCandidate(text: string): PoolCandidate {
  const [, address, digits] = FORM.exec(text) ?? [];
  if (address === undefined) throw new InvalidArgumentError('Write it as in base=10.99.0.0/16,size=24.');
  const base = parsePrefix(address);
  if (base === undefined) throw new InvalidArgumentError(`${address} is no subnet; write it as in 10.99.0.0/16.`);
  if (firstOf(base).value !== base.addr.value)
    throw new InvalidArgumentError(`${address} is an address in a subnet; leave out what comes after its prefix.`);
  const [size, longest] = [Number(digits), BITS[base.addr.family] - LEAST_HOST_BITS];
  if (size < base.length || size > longest)
    throw new InvalidArgumentError(`Subnets of ${address} have a size from ${base.length} to ${longest}, not ${size}.`);
  return { base, size };
}
