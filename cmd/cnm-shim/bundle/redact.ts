import { isObject } from '../../../src/shared/model/json.ts';
import { AddressMap, mapText } from './addresses.ts';

/** What a name is of. */
export type NameKind = 'network' | 'container' | 'host' | 'link' | 'name';

/** Keys of documents and log lines whose values are names. */
const KEYS: Readonly<Record<string, NameKind>> = {
  ...{ network: 'network', networks: 'network', networkid: 'network', netname: 'network' },
  ...{ container: 'container', containerid: 'container', endpoint: 'container', endpointid: 'container' },
  ...{ host: 'host', hostname: 'host', domain: 'host', domainname: 'host', search: 'host', servername: 'host' },
  ...{ interface: 'link', ifname: 'link', hostif: 'link', hostinterface: 'link', bridge: 'link', device: 'link' },
  ...{ parent: 'link', underlay: 'link', port: 'link', link: 'link', dev: 'link', altname: 'link', ifalias: 'link' },
  ...{ name: 'name', names: 'name', alias: 'name', aliases: 'name', user: 'name' },
  ...{ cluster: 'name', netns: 'name', sandbox: 'name', pod: 'name', namespace: 'name' },
};

/** Words of the trade, which tell nothing of a host: names of drivers, commands, keys. */
const PUBLIC = new Set(
  (
    'isthmus bridge host null none default overlay macvlan ipvlan vlan vxlan ptp dummy tap vrf loopback portmap firewall ' +
    'bandwidth tuning sbr dhcp static host-local host-device lo docker0 tunl0 sit0 ip6tnl0 gre0 gretap0 ' +
    'erspan0 ip_vti0 ip6_vti0 ip6gre0 nftables iptables firewalld cni cnm docker daemon root kernel link local global ' +
    'nat filter mangle raw security input output forward prerouting postrouting ip ip6 inet arp netdev main all true ' +
    'false null interface network container endpoint name ready intent nft tcp udp sctp icmp ok error add del check gc ' +
    'status version reconcile localhost unix'
  ).split(' '),
);
const KERNEL_LINK = /^(?:eth|wlan)\d{1,3}$/;

/** Six bytes; 14 in the kernel's log of a packet, which are two addresses and a type; 20 of InfiniBand. */
const MAC = '(?<![0-9A-Fa-f:])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,}(?![0-9A-Fa-f:])';
const MAC_TEXT = 17;
const HEADER_TEXT = 41;
/** An IPv6 address as nft prints the bytes of a packet. */
const V6_BYTES = /(?<![\w])0x([0-9a-f]{25,32})(?![\w])/gi;
const V6 =
  '(?<![\\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|\\d+(?:\\.\\d+){3})?(?![\\w:])(?:/\\d{1,3}(?!\\d))?';
const V4 = '(?<![\\w.])\\d{1,3}(?:\\.\\d{1,3}){3}(?![\\w]|\\.\\d)(?:/\\d{1,2}(?!\\d))?';
const UUID = '(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])';
const WORD = '[\\p{L}\\p{N}](?:[\\p{L}\\p{N}_.-]*[\\p{L}\\p{N}])?';
/** Whatever can be an address, an id or a name, in one pass: nothing is replaced twice. MAC addresses are by then. */
const PARTS = new RegExp(`(?<mac>${MAC})|(?<v6>${V6})|(?<v4>${V4})|(?<uuid>${UUID})|(?<word>${WORD})`, 'gu');
/** An id is as long as Docker shows it. */
const ID = /^[0-9a-f]{12,}$/;
const ID_SHOWN = 12;
/** A key and its value, as logs and programs print them. */
const NAMED = /(?<![\w-])([a-z_]{2,16})([= ])(?:"([^"\n]*)"|([^\s",;]+))/gi;
/** `"key": "value"`, also where the quotes are escaped. */
const QUOTED = /\\*"([A-Za-z_]{2,16})\\*"\s*:\s*\\*"([^"\\\n]*)\\*"/g;
/** What programs print of names. */
const PLAIN_NAME = /^[\p{L}\p{N}/][\p{L}\p{N}_.@+/-]*$/u;
/** Names that no word of the pattern above is. */
const ODD = /[^\p{L}\p{N}_.-]|^[_.-]|[_.-]$/u;

/** Replaces addresses, ids and names, the same one always by the same one. */
export class Redactor {
  readonly #addresses: AddressMap;
  readonly #names = new Map<string, string>();
  readonly #odd = new Map<string, string>();
  readonly #ids = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(key: Uint8Array) {
    this.#addresses = new AddressMap(key);
  }

  /** A name that is to be replaced wherever it is a word, or a part of one between dots, hyphens and underscores. */
  learn(name: string, kind: NameKind): void {
    const isPublic = PUBLIC.has(name.toLowerCase()) || KERNEL_LINK.test(name) || /^\d+$/.test(name);
    if (!/[\p{L}\p{N}]/u.test(name) || isPublic || ID.test(name) || this.#names.has(name) || this.#odd.has(name))
      return;
    const names = ODD.test(name) ? this.#odd : this.#names;
    names.set(name, this.#next(kind));
    if (kind === 'host') for (const label of name.split('.').slice(0, 1)) this.learn(label, kind);
  }

  /** Learns the names in a parsed document: values of keys that hold names, and labels. */
  learnFrom(value: unknown, kind?: NameKind): void {
    if (typeof value === 'string' && kind !== undefined) this.#learnText(value, kind);
    else if (Array.isArray(value)) for (const one of value) this.learnFrom(one, kind);
    else if (isObject(value))
      for (const [key, inner] of Object.entries(value)) {
        if (key.toLowerCase() === 'labels') this.learnLabels(inner);
        else this.learnFrom(inner, KEYS[plainKey(key)] ?? (kind === 'name' ? kind : undefined));
      }
  }

  /** Keys and values of labels are what a user chose. */
  learnLabels(labels: unknown): void {
    if (!isObject(labels)) this.learnFrom(labels, 'name');
    else
      for (const [key, value] of Object.entries(labels)) {
        this.learn(key, 'name');
        if (typeof value === 'string') this.learn(value, 'name');
      }
  }

  /** Learns the names in `key=value` and `key value` of log lines and of programs that print so. */
  learnFromText(text: string): void {
    for (const [, key = '', sign, quoted, plain = quoted ?? ''] of text.matchAll(NAMED)) {
      const kind = KEYS[plainKey(key)];
      // `dev eth0` of iproute2 and `network=web` of a log; not `name of` in a sentence.
      const isName = sign === '=' || quoted !== undefined || kind === 'link';
      if (kind !== undefined && isName && PLAIN_NAME.test(plain)) this.#learnText(plain, kind);
    }
    // A configuration that does not parse, and JSON within a line of a log.
    for (const [, key = '', name = ''] of text.matchAll(QUOTED)) {
      const kind = KEYS[plainKey(key)];
      if (kind !== undefined) this.#learnText(name, kind);
    }
    for (const [, host = ''] of text.matchAll(/\b[a-z][a-z0-9+.-]*:\/\/(?:[^\s/@"']*@)?([A-Za-z][\w.-]*)/g))
      this.learn(host, 'host');
  }

  /** The text with other addresses, ids and names. */
  text(text: string): string {
    let rest = text;
    for (const [name, other] of [...this.#odd].sort(([a], [b]) => b.length - a.length))
      rest = rest.replaceAll(name, other);
    // A bridge id has one after a dot: 8000.52:54:00:12:34:56.
    rest = rest.replace(new RegExp(MAC, 'g'), (mac) => this.#mac(mac));
    rest = rest.replace(V6_BYTES, (_, digits: string) => `0x${this.#bytes(digits)}`);
    return rest.replace(PARTS, (whole, ...found) => {
      const { mac, v6, v4, uuid } = found.at(-1) as Readonly<Record<string, string | undefined>>;
      if (mac !== undefined) return mac;
      if (v6 !== undefined || v4 !== undefined) return this.#address(whole) ?? this.#words(whole);
      if (uuid !== undefined) return this.#id(uuid.toLowerCase(), 'uuid');
      return this.#word(whole);
    });
  }

  #learnText(value: string, kind: NameKind): void {
    // A path's last part: /run/netns/blue.
    for (const part of value.split(/[\s,]+/)) {
      const name = part.startsWith('/') ? (part.split('/').at(-1) ?? '') : part;
      if (mapText(this.#addresses, name.replace(/\/\d+$/, '')) === undefined) this.learn(name, kind);
    }
  }

  #mac(text: string): string {
    if (text.length !== HEADER_TEXT) return this.#addresses.mapMac(text);
    const [to, from, type] = [text.slice(0, MAC_TEXT), text.slice(MAC_TEXT + 1, 2 * MAC_TEXT + 1), text.slice(-5)];
    return `${this.#addresses.mapMac(to)}:${this.#addresses.mapMac(from)}:${type}`;
  }

  /** nft leaves out zeros at the beginning. A mask is not an address. */
  #bytes(digits: string): string {
    if (/^f*[8ce]?0*$/i.test(digits)) return digits;
    const { value } = this.#addresses.map({ family: 6, value: BigInt(`0x${digits}`) });
    return value.toString(16).padStart(digits.length, '0');
  }

  #address(text: string): string | undefined {
    const [address = '', length] = text.split('/');
    const other = mapText(this.#addresses, address, length === undefined ? undefined : Number(length));
    if (other === undefined) return undefined;
    return length === undefined ? other : `${other}/${length}`;
  }

  /** Text that is no address after all, such as a time of day. */
  #words(text: string): string {
    return text.replace(new RegExp(WORD, 'gu'), (word) => this.#word(word));
  }

  #word(word: string): string {
    const own = this.#names.get(word);
    if (own !== undefined) return own;
    if (ID.test(word) && /[a-f]/.test(word)) return this.#id(word, 'id');
    if (!/[_.-]/.test(word)) return word;
    return this.#composed(word.split(/([_.-])/));
  }

  /** Parts with their separators. The longest known name first, from the left. */
  #composed(parts: readonly string[]): string {
    let text = '';
    for (let at = 0; at < parts.length; ) {
      let end = parts.length;
      while (end > at + 1 && !this.#names.has(parts.slice(at, end).join(''))) end--;
      const piece = parts.slice(at, end).join('');
      text += this.#names.get(piece) ?? (ID.test(piece) && /[a-f]/.test(piece) ? this.#id(piece, 'id') : piece);
      at = end;
    }
    return text;
  }

  #id(id: string, kind: string): string {
    const key = kind === 'id' ? id.slice(0, ID_SHOWN) : id;
    let found = this.#ids.get(key);
    if (found === undefined) {
      found = this.#next(kind);
      this.#ids.set(key, found);
    }
    return found;
  }

  #next(kind: string): string {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `${kind}-${count}`;
  }
}

function plainKey(key: string): string {
  return key.toLowerCase().replace(/[^a-z]/g, '');
}
