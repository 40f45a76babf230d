import type { Json } from '../../../src/shared/config/fields.ts';
import { invalid } from '../../../src/shared/config/invalid.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';

/** Keys of a CNI configuration that describe the network, not one endpoint, and have no option of their own here. */
const KEYS: readonly string[] = [
  ...['bridge', 'mtu', 'isGateway', 'forceAddress', 'hairpinMode', 'promiscMode', 'vlan', 'vlanTrunk'],
  ...['preserveDefaultVlan', 'macspoofchk', 'spoofGuard', 'enabledad', 'portIsolation', 'icc'],
  ...['ipMasq', 'nonMasqueradeCIDRs', 'outboundAddr4', 'outboundAddr6', 'ingressPolicy', 'firewall'],
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
export function readOptions(texts: readonly string[]): Json {
  return Object.fromEntries(texts.map(readOption));
}

function readOption(text: string): [string, unknown] {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  const value = text.slice(equals + 1);
  const instead = SAID.get(key);
  if (instead !== undefined) throw invalid('--opt', text, `${instead} says that`, 'See --help');
  if (!KEYS.includes(key)) {
    const near = nearest(key, [...KEYS]);
    const hint = near === undefined ? `Use one of ${KEYS.join(', ')}` : `Did you mean ${near}?`;
    throw invalid('--opt', text, 'networks have no such key', hint);
  }
  if (equals < 0 || value === '') throw invalid('--opt', text, 'it has no value', `Write --opt ${key}=VALUE`);
  return [key, TEXTS.includes(key) ? value : readValue(value)];
}

/** Parses booleans, numbers and lists as JSON, everything else as text. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
