import { fault } from '../errors/fault.ts';
import { conditionWords, notMatching } from '../firewall/iptables-matches.ts';
import type { Addr, Family } from '../model/addr.ts';
import type { FirewallBackend, IngressPolicy } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { field, type Json, textField, textOf } from '../model/json.ts';
import { ifNameFault } from '../model/link.ts';
import { isNftMatch } from '../model/nft-match.ts';
import type { Prefix } from '../model/prefix.ts';
import { invalid, show } from './invalid.ts';
import { readHostAddr, readSubnet } from './ipam-values.ts';

export type ChosenBackend = Exclude<FirewallBackend, 'bridge' | 'firewalld'> | 'auto';

/** The firewall options of a configuration. */
export interface FirewallOptions {
  readonly backend: ChosenBackend;
  readonly policy: IngressPolicy;
  /** Families of a `closed` network that are open to everybody nevertheless. */
  readonly unprotected?: readonly Family[];
  /**
   * Interfaces of the host by which connections are accepted: of a `closed` network to published ports at the endpoints'
   * own addresses, of an `open` one all, whatever other rules drop forwarded packets.
   */
  readonly trusted?: readonly string[];
  /** VXLAN device of a network that is routed between hosts: what is behind it belongs to the network. */
  readonly vxlan?: string;
  /** Absent: destinations outside see the pods' own addresses. */
  readonly masquerade?: MasqueradeOptions;
  readonly ports: PortOptions;
  /** Chain of iptables' table filter that the administrator fills: the plugin `firewall` only. */
  readonly adminChain?: string;
}

export interface MasqueradeOptions {
  /** Masqueraded families; absent: both. */
  readonly families?: readonly Family[];
  /** Destinations that see the pods' own addresses. */
  readonly except: readonly Prefix[];
  /** Fixed source addresses, by family. */
  readonly to: Readonly<Partial<Record<Family, Addr>>>;
}

/** Options of the reference portmap plugin. */
export interface PortOptions {
  readonly snat: boolean;
  readonly masqAll: boolean;
  readonly mark?: { readonly bit: number } | { readonly chain: string };
  readonly conditions: Readonly<Record<Family, readonly string[]>>;
  /** Families that others route to: connections go to a port at the endpoint's own address, and use no host port. */
  readonly routed?: readonly Family[];
  /** The daemon relays IPv6 connections to endpoints that have IPv4 only. */
  readonly proxy6to4?: true;
}

const BACKENDS: readonly ChosenBackend[] = ['auto', 'nftables', 'iptables', 'none'];

/**
 * Returns the firewall options of a configuration of valid shape: Isthmus' own, and those of the reference's bridge
 * (ipMasq, ipMasqBackend), portmap and firewall. Throws NetError `invalid-config` for contradictions,
 * `unsupported-field` for options that the chosen backend cannot implement.
 */
export function parseFirewall(config: Json): FirewallOptions {
  const masquerade = parseMasquerade(config);
  const ports = parsePortOptions(config);
  return {
    backend: parseBackend(config, ports),
    policy: parsePolicy(config, masquerade !== undefined),
    ...given({ trusted: parseTrusted(config), masquerade }),
    ports,
  };
}

function parseMasquerade(config: Json): MasqueradeOptions | undefined {
  const needsMasq = ['nonMasqueradeCIDRs', 'outboundAddr4', 'outboundAddr6'].find(
    (key) => field(config, key) !== undefined,
  );
  if (field(config, 'ipMasq') !== true) {
    if (needsMasq === undefined) return undefined;
    const what = 'it means something with "ipMasq": true only';
    throw invalid(`.${needsMasq}`, field(config, needsMasq), what, 'Set ipMasq, or remove it');
  }
  const to: Partial<Record<Family, Addr>> = {};
  for (const family of [4, 6] as const) {
    const text = textField(config, `outboundAddr${family}`);
    if (text === undefined) continue;
    const addr = readHostAddr(text, `.outboundAddr${family}`);
    if (addr.family !== family) throw invalid(`.outboundAddr${family}`, text, `it is not IPv${family}`, 'Swap them');
    to[family] = addr;
  }
  const except = field(config, 'nonMasqueradeCIDRs');
  const list = Array.isArray(except) ? except : [];
  return { except: list.map((text, i) => readSubnet(textOf(text), `.nonMasqueradeCIDRs[${i}]`)), to };
}

function parseTrusted(config: Json): string[] | undefined {
  const key = 'trustedHostInterfaces';
  const names = texts(config, key);
  if (names.length === 0) return undefined;
  if (field(config, 'internal') === true) {
    throw invalid(`.${key}`, names, 'nothing enters an internal network', 'Remove it or internal');
  }
  for (const [i, name] of names.entries()) {
    const wrong = ifNameFault(name);
    if (wrong !== undefined) throw invalid(`.${key}[${i}]`, name, `it ${wrong}`, 'Give names like eth0');
  }
  return [...new Set(names)];
}

function parsePortOptions(config: Json): PortOptions {
  const bit = field(config, 'markMasqBit');
  const chain = textField(config, 'externalSetMarkChain');
  if (bit !== undefined && chain !== undefined) {
    throw invalid(
      '.markMasqBit',
      bit,
      'externalSetMarkChain is given too, and only one can mark',
      'Remove one of them',
    );
  }
  if (bit !== undefined && !(typeof bit === 'number' && Number.isInteger(bit) && bit >= 0 && bit <= 31)) {
    throw invalid('.markMasqBit', bit, 'it is not a bit of a mark', 'Give a whole number from 0 to 31');
  }
  if (chain !== undefined && !/^[^\s!-][^\s]{0,27}$/.test(chain)) {
    const what = 'it is not the name of a chain';
    throw invalid('.externalSetMarkChain', chain, what, 'Give one of iptables, 28 characters at most');
  }
  return {
    snat: flag(config, 'snat') !== false,
    masqAll: flag(config, 'masqAll') === true,
    ...(typeof bit === 'number' ? { mark: { bit } } : {}),
    ...(chain === undefined ? {} : { mark: { chain } }),
    conditions: { 4: texts(config, 'conditionsV4'), 6: texts(config, 'conditionsV6') },
    ...(flag(config, 'proxy6to4') === true ? { proxy6to4: true } : {}),
  };
}

/**
 * Chooses the backend: `firewall.backend`, portmap's `backend`, bridge's `ipMasqBackend`, in this order. Without any,
 * the syntax of conditions decides, as in the reference: only iptables has a leading `-` or `!`.
 */
function parseBackend(config: Json, ports: PortOptions): ChosenBackend {
  const [path, value] = backendKey(config);
  const chosen = BACKENDS.find((name) => name === value);
  if (chosen === undefined) throw invalid(path, value, 'it is not a backend here', `Use ${BACKENDS.join(', ')}`);
  const written = syntaxOf(ports);
  const chain = ports.mark !== undefined && 'chain' in ports.mark ? ports.mark.chain : undefined;
  if (chain !== undefined && (chosen === 'nftables' || (chosen === 'auto' && written === 'nftables'))) {
    throw fault.unsupportedField(
      'config',
      `.externalSetMarkChain=${show(chain)}`,
      'a chain of iptables cannot mark for nftables',
      'Choose backend iptables and write conditions for it, or use markMasqBit',
    );
  }
  if (chosen === 'auto') return chain === undefined ? (written ?? 'auto') : 'iptables';
  if (written !== undefined && chosen !== 'none' && written !== chosen) {
    const key = ports.conditions[4].length > 0 ? 'conditionsV4' : 'conditionsV6';
    const what = `they are written for ${written}, but ${path} is ${chosen}`;
    throw invalid(`.${key}`, field(config, key), what, `Write them for ${chosen}, or change the backend`);
  }
  return chosen;
}

function syntaxOf({ conditions }: PortOptions): 'iptables' | 'nftables' | undefined {
  const syntaxes = ([4, 6] as const).flatMap((family): ('iptables' | 'nftables')[] => {
    const [first] = conditions[family];
    if (first === undefined) return [];
    if (isOption(first)) {
      assertMatches(family, conditions[family]);
      return ['iptables'];
    }
    const other = conditions[family].find((word) => isOption(word) || !isNftMatch(word));
    if (other === undefined) return ['nftables'];
    const [what, hint] = isOption(other)
      ? [`${show(first)} is written for nftables, ${show(other)} for iptables`, 'Write all of them in one syntax']
      : [
          `${show(other)} is not a match in the syntax of nft`,
          'Write them as in a rule of nft: "ip saddr 192.0.2.0/24"',
        ];
    throw invalid(`.conditionsV${family}`, conditions[family], what, hint);
  });
  if (syntaxes.length === 2 && syntaxes[0] !== syntaxes[1]) {
    const what = 'conditionsV4 is written for the other backend';
    throw invalid('.conditionsV6', conditions[6], what, 'Write both in one syntax');
  }
  return syntaxes[0];
}

function assertMatches(family: Family, conditions: readonly string[]): void {
  const bad = notMatching(conditionWords(conditions));
  if (bad === undefined) return;
  const hint = 'Give matches only, options written out: ["-s", "192.0.2.0/24"]';
  throw invalid(`.conditionsV${family}`, conditions, `${show(bad)} is not a match of iptables`, hint);
}

/** Returns the backend of a configuration and the path of its key; `auto` if no key names one. */
export function backendKey(config: Json): readonly [path: string, value: unknown] {
  const places = [
    ['.firewall.backend', field(field(config, 'firewall'), 'backend')],
    ['.backend', field(config, 'backend')],
    ['.ipMasqBackend', field(config, 'ipMasqBackend')],
  ] as const;
  return places.find(([, given]) => given !== undefined && given !== '') ?? ['.firewall.backend', 'auto'];
}

function isOption(word: string): boolean {
  return word.startsWith('-') || word.startsWith('!');
}

function parsePolicy(config: Json, masquerades: boolean): IngressPolicy {
  const policy = textField(config, 'ingressPolicy');
  if (field(config, 'internal') === true) {
    if (masquerades)
      throw invalid('.internal', true, 'nothing leaves an internal network, but ipMasq is set', 'Drop one');
    if (policy !== undefined && policy !== 'open') {
      throw invalid('.ingressPolicy', policy, 'an internal network lets nothing in anyway', 'Drop one of them');
    }
    return 'internal';
  }
  if (policy === undefined) return 'open';
  if (policy === 'open') return 'reachable';
  const known = (['same-bridge', 'isolated'] as const).find((name) => name === policy);
  if (known !== undefined) return known;
  throw invalid('.ingressPolicy', policy, 'it is not known here', 'Use open, same-bridge or isolated');
}

/** Drop-in names have no schema, so this checks types too. */
function flag(config: Json, key: string): boolean | undefined {
  const value = field(config, key);
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(`.${key}`, value, 'it is not a boolean', 'Write true or false');
}

function texts(config: Json, key: string): string[] {
  const value = field(config, key);
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    const hint = key === 'trustedHostInterfaces' ? '["eth0"]' : '["-s", "192.0.2.0/24"]';
    throw invalid(`.${key}`, value, 'it is not a list of texts', `Write ${hint}`);
  }
  return [...value];
}
