import { given } from '../model/given.ts';
import { type LinkState, USUAL_PORT, type VxlanDf } from '../model/link.ts';
import {
  ENODEV,
  IFF_ALLMULTI,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_UP,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
} from '../netlink/constants.ts';
import { type LinkMessage, link, linkName, VXLAN_DF } from '../netlink/link.ts';
import { socketError } from '../netlink/message.ts';
import type { Request } from '../netlink/socket.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { linkData } from './read-link-data.ts';

/** Reads the links of one namespace and caches each for its own lifetime. */
export class LinkReader {
  readonly #ns: LinuxNamespace;
  readonly #byName = new Map<string, LinkMessage>();
  readonly #byIndex = new Map<number, LinkMessage>();
  #complete = false;

  constructor(ns: LinuxNamespace) {
    this.#ns = ns;
  }

  /** The state of every link. */
  all(): ReadonlyMap<string, LinkState> {
    if (!this.#complete) {
      for (const { payload } of this.#ns.route.dump(getLink({}))) this.#keep(link.decode(payload, true));
      this.#complete = true;
    }
    return this.#states([...this.#byName.keys()]);
  }

  /** Returns the state of the links that exist. */
  named(names: readonly string[]): ReadonlyMap<string, LinkState> {
    this.#ask(names.filter((name) => !this.#byName.has(name)).map((name) => getLink({ name })));
    return this.#states(names);
  }

  /** Returns the name of the link with an ifindex; `if<index>` if it has disappeared meanwhile. */
  nameOf(index: number): string {
    return this.#byIndex.get(index)?.attrs.name ?? linkName(this.#ns.route.fd, index) ?? `if${index}`;
  }

  #states(names: readonly string[]): ReadonlyMap<string, LinkState> {
    const found = names.flatMap((name) => this.#byName.get(name) ?? []);
    return new Map(found.map((message) => [message.attrs.name ?? '', this.#state(message)]));
  }

  #state({ header, attrs }: LinkMessage): LinkState {
    const { info } = attrs;
    const bridge = info?.bridge;
    const port = info?.bridgePort;
    const vxlan = info?.vxlan;
    return {
      index: header.index,
      name: attrs.name ?? '',
      mac: attrs.address ?? '',
      mtu: attrs.mtu ?? 0,
      up: (header.flags & IFF_UP) !== 0,
      lowerUp: (header.flags & IFF_LOWER_UP) !== 0,
      loopback: (header.flags & IFF_LOOPBACK) !== 0,
      promisc: (attrs.promiscuity ?? 0) > 0,
      allMulticast: (header.flags & IFF_ALLMULTI) !== 0,
      txQueueLength: attrs.txQueueLength ?? 0,
      group: attrs.group ?? 0,
      altNames: attrs.altNames?.names ?? [],
      ...(info?.kind === undefined ? {} : { kind: info.kind }),
      ...given({ alias: attrs.alias }),
      ...(attrs.master === undefined ? {} : { master: this.nameOf(attrs.master) }),
      ...given({ linkIndex: attrs.link, linkNetnsId: attrs.linkNetnsId }),
      ...(bridge === undefined ? {} : { bridge: bridgeState(bridge) }),
      ...(port === undefined ? {} : { port: portState(port) }),
      ...(vxlan === undefined ? {} : { vxlan: vxlanState(vxlan) }),
      ...(info === undefined ? {} : linkData(info)),
      ...given({ permMac: attrs.permAddress, parentDev: attrs.parentDev, parentBus: attrs.parentBus }),
    };
  }

  #ask(requests: readonly Request[]): void {
    for (const { errno, text, messages } of this.#ns.route.exchange(requests)) {
      if (errno !== 0 && errno !== ENODEV) throw socketError(errno, 'a link could not be read', text);
      for (const { payload } of messages) this.#keep(link.decode(payload, true));
    }
  }

  #keep(message: LinkMessage | undefined): void {
    const name = message?.attrs.name;
    if (message === undefined || name === undefined) return;
    this.#byName.set(name, message);
    this.#byIndex.set(message.header.index, message);
  }
}

/** Returns the link of a name, or undefined. */
export function readLink(ns: LinuxNamespace, name: string): LinkMessage | undefined {
  const [reply] = ns.route.exchange([getLink({ name })]);
  const { errno = 0, text = '', messages: [message] = [] } = reply ?? {};
  if (errno !== 0 && errno !== ENODEV) throw socketError(errno, `link ${name} could not be read`, text);
  return message && link.decode(message.payload, true);
}

/** The request for one link by name or by index; without either, for a dump. */
export function getLink(attrs: { readonly name?: string }, index = 0): Request {
  const payload = link.encode({ header: { index }, attrs: { ...attrs, extMask: RTEXT_FILTER_SKIP_STATS } });
  return { type: RTM_GETLINK, payload, reply: true };
}

type Info = NonNullable<LinkMessage['attrs']['info']>;

function bridgeState({
  vlanFiltering = false,
  defaultPvid,
}: NonNullable<Info['bridge']>): LinkState['bridge'] & object {
  return { vlanFiltering, ...given({ defaultPvid }) };
}

function portState(port: NonNullable<Info['bridgePort']>): LinkState['port'] & object {
  const { hairpin, isolated, learning, neighSuppress, unicastFlood, mcastFlood, bcastFlood } = port;
  const flags = { hairpin, isolated, learning, neighSuppress, unicastFlood, mcastFlood, bcastFlood };
  return { ...USUAL_PORT, ...given(flags) };
}

function vxlanState(vxlan: NonNullable<Info['vxlan']>): LinkState['vxlan'] & object {
  const { id = 0, port = 0, learning = false, proxy = false, ttl = 0, df = 0, portRange } = vxlan;
  const { udpCsum = true, zeroCsum6Tx = false, zeroCsum6Rx = false } = vxlan;
  const [word = 'unset'] = (Object.keys(VXLAN_DF) as VxlanDf[]).filter((each) => VXLAN_DF[each] === df);
  const flags = { learning, proxy, udpCsum, zeroCsum6Tx, zeroCsum6Rx };
  const range = portRange?.high === 0 ? undefined : portRange;
  return { id, port, ttl, df: word, ...flags, ...given({ local: vxlan.local ?? vxlan.local6, portRange: range }) };
}
