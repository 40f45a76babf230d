import type { Family } from '../model/addr.ts';
import { formatAddr } from '../model/addr.ts';
import type { FirewallBackend, IngressPolicy } from '../model/firewall.ts';
import { formatPrefix } from '../model/prefix.ts';
import { field, type Json, textField } from './fields.ts';
import { invalid } from './invalid.ts';
import { readAddr, readSubnet } from './ipam-values.ts';

export type ChosenBackend = FirewallBackend | 'auto';

/** What a configuration wants of the packet filter. */
export interface FirewallOptions {
  readonly backend: ChosenBackend;
  readonly policy: IngressPolicy;
  /** Absent: the pods' own addresses are seen outside. */
  readonly masquerade?: MasqueradeOptions;
  readonly ports: PortOptions;
}

export interface MasqueradeOptions {
  /** Destinations that see the pods' own addresses. */
  readonly except: readonly string[];
  /** Fixed source addresses, by family. */
  readonly to: Readonly<Partial<Record<Family, string>>>;
}

/** Options of the reference portmap plugin. */
export interface PortOptions {
  readonly snat: boolean;
  readonly masqAll: boolean;
  readonly mark?: { readonly bit: number } | { readonly chain: string };
  readonly conditions: Readonly<Record<Family, readonly string[]>>;
}

const BACKENDS: readonly ChosenBackend[] = ['auto', 'nftables', 'iptables', 'none'];

/**
 * The firewall options of a configuration whose shape has been checked: those of Isthmus, and the reference's of
 * bridge (ipMasq, ipMasqBackend), portmap and firewall. Throws NetError `invalid-config` for contradictions.
 */
export function parseFirewall(config: Json): FirewallOptions {
  const masquerade = parseMasquerade(config);
  const ports = parsePortOptions(config);
  return {
    backend: parseBackend(config, ports),
    policy: parsePolicy(config, masquerade !== undefined),
    ...(masquerade === undefined ? {} : { masquerade }),
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
  const to: Partial<Record<Family, string>> = {};
  for (const family of [4, 6] as const) {
    const text = textField(config, `outboundAddr${family}`);
    if (text === undefined) continue;
    const addr = readAddr(text, `.outboundAddr${family}`);
    if (addr.family !== family) throw invalid(`.outboundAddr${family}`, text, `it is not IPv${family}`, 'Swap them');
    to[family] = formatAddr(addr);
  }
  const except = field(config, 'nonMasqueradeCIDRs');
  const list = Array.isArray(except) ? except : [];
  return { except: list.map((text, i) => formatPrefix(readSubnet(String(text), `.nonMasqueradeCIDRs[${i}]`))), to };
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
  return {
    snat: field(config, 'snat') !== false,
    masqAll: field(config, 'masqAll') === true,
    ...(typeof bit === 'number' ? { mark: { bit } } : {}),
    ...(chain === undefined ? {} : { mark: { chain } }),
    conditions: { 4: texts(config, 'conditionsV4'), 6: texts(config, 'conditionsV6') },
  };
}

/**
 * `firewall.backend`, portmap's `backend`, bridge's `ipMasqBackend`, in this order. Where none says it, the syntax of
 * conditions does: the reference's way to tell is a leading `-` or `!`, which only iptables has.
 */
function parseBackend(config: Json, ports: PortOptions): ChosenBackend {
  const places: [string, unknown][] = [
    ['.firewall.backend', field(field(config, 'firewall'), 'backend')],
    ['.backend', field(config, 'backend')],
    ['.ipMasqBackend', field(config, 'ipMasqBackend')],
  ];
  const [path, value] = places.find(([, given]) => given !== undefined && given !== '') ?? ['', 'auto'];
  const chosen = BACKENDS.find((name) => name === value);
  if (chosen === undefined) throw invalid(path, value, 'it is not a backend here', `Use ${BACKENDS.join(', ')}`);
  const written = syntaxOf(ports);
  if (chosen === 'auto') return ports.mark !== undefined && 'chain' in ports.mark ? 'iptables' : (written ?? 'auto');
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
    return [first.startsWith('-') || first.startsWith('!') ? 'iptables' : 'nftables'];
  });
  if (syntaxes.length === 2 && syntaxes[0] !== syntaxes[1]) {
    const what = 'conditionsV4 is written for the other backend';
    throw invalid('.conditionsV6', conditions[6], what, 'Write both in one syntax');
  }
  return syntaxes[0];
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
  const known = (['open', 'same-bridge', 'isolated'] as const).find((name) => name === (policy ?? 'open'));
  if (known !== undefined) return known;
  throw invalid('.ingressPolicy', policy, 'it is not known here', 'Use open, same-bridge or isolated');
}

function texts(config: Json, key: string): string[] {
  const value = field(config, key);
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalid(`.${key}`, value, 'it is not a list of texts', 'Write ["-s", "192.0.2.0/24"]');
  }
  return value;
}
