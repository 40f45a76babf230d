import type { Element } from '../host/firewall-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { readAddresses } from '../host/read-addresses.ts';
import { LinkReader } from '../host/read-links.ts';
import { formatAddr } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { parsePrefix } from '../model/prefix.ts';
import { getElements } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import type { Admitter } from './admit.ts';
import { type KnownRuleset, WHOLE } from './known-ruleset.ts';
import { setRequests } from './nft-diff.ts';
import { encodeElement, setId } from './nft-elements.ts';
import { DOCKER_SETS, SERVICE_SETS, UNGUARDED_SETS } from './nft-table.ts';

/** The first words of the fact that the sets about others' bridges hold exactly what its other words list. */
const BRIDGES_NAMED = `${WHOLE}bridges of others`;

/** kube-proxy's device for the addresses of services, in its mode ipvs. */
const SERVICE_DEVICE = 'kube-ipvs0';

const FAMILIES = [4, 6] as const;

/** The elements of table `inet isthmus` that come from no entry, but from the bridges and the services of others. */
export class OthersElements {
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  readonly #admitter: Admitter;

  constructor(ns: LinuxNamespace, known: KnownRuleset, admitter: Admitter) {
    this.#ns = ns;
    this.#known = known;
    this.#admitter = admitter;
  }

  /** Returns them for a table that has `own` for its entries. Its caller is about to write them. */
  wanted(own: readonly Element[]): Element[] {
    this.#known.drop(BRIDGES_NAMED);
    const networks = new Set(own.flatMap((element) => (element.set === 'networks' ? [nameOf(element)] : [])));
    return [
      ...closedElements(this.#admitter, (names) => names.filter((name) => !networks.has(name))),
      ...this.#services(),
    ];
  }

  /** Brings them up to date; with `entries`, those that matter to these. Returns the first errno, 0 for success. */
  update(socket: NetlinkSocket, entries?: readonly FirewallEntry[]): number {
    const concerns = (kind: FirewallEntry['kind']): boolean => entries?.some((entry) => entry.kind === kind) !== false;
    const services = concerns('port') ? this.#services() : [];
    const errno = concerns('policy') ? this.#updateBridges(socket) : 0;
    if (entries !== undefined && services.length === 0) return errno;
    const requests = setRequests(socket, Object.values(SERVICE_SETS), services);
    return errno || this.#known.change(socket, requests, 'endpoint');
  }

  #updateBridges(socket: NetlinkSocket): number {
    const wanted = closedElements(this.#admitter, (names) => withoutNetworks(socket, names));
    const fact = `${BRIDGES_NAMED} ${wanted.map((element) => `${element.set} ${nameOf(element)}`).join(', ')}`;
    if (this.#known.has(fact)) return 0;
    this.#known.drop(BRIDGES_NAMED);
    const errno = this.#known.change(socket, setRequests(socket, DOCKER_SETS, wanted), 'endpoint');
    if (errno === 0) this.#known.keep(fact, 'network');
    return errno;
  }

  #services(): Element[] {
    // Most hosts lack the device. This look-up does not wait for RTNL.
    if (linkIndex(this.#ns.route.fd, SERVICE_DEVICE) === undefined) return [];
    return readAddresses(this.#ns, new LinkReader(this.#ns), [SERVICE_DEVICE]).flatMap(({ address }) => {
      const prefix = parsePrefix(address);
      if (prefix === undefined) return [];
      const { family } = prefix.addr;
      return [{ set: SERVICE_SETS[family], key: [{ type: 'addr', value: formatAddr(prefix.addr) }] }];
    });
  }
}

/** The elements of the sets about closed bridges; `chosen` returns those that are not our networks. */
function closedElements(admitter: Admitter, chosen: (names: readonly string[]) => readonly string[]): Element[] {
  const closed = admitter.closedBridges();
  const names = new Set(chosen(closed.map(({ name }) => name)));
  return closed
    .filter(({ name }) => names.has(name))
    .flatMap(({ name, guarded }) =>
      ['docker', ...FAMILIES.filter((family) => !guarded.includes(family)).map((family) => UNGUARDED_SETS[family])].map(
        (set) => deviceElement(set, name),
      ),
    );
}

/** The names that set `networks` lacks. */
function withoutNetworks(socket: NetlinkSocket, names: readonly string[]): readonly string[] {
  const elements = names.map((name) => deviceElement('networks', name));
  const looks = elements.map((element) => ({ id: setId(element), element: encodeElement(element)[0] ?? {} }));
  const found = looks.length === 0 ? [] : getElements(socket, looks);
  return names.filter((_, i) => found[i] === undefined);
}

function deviceElement(set: string, device: string): Element {
  return { set, key: [{ type: 'ifname', value: device }] };
}

function nameOf({ key }: Element): string {
  return key.map(({ value }) => value).join(' ');
}
