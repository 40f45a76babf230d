import { type Addr, addrToBytes } from '../model/addr.ts';
import { ANY, type Message, OPTION, TYPE } from './message.ts';

/** What the client tells of itself in each message. */
export interface Identity {
  /** MAC of the interface. */
  readonly mac: string;
  /** Value of option 61. */
  readonly clientId: Uint8Array;
  /** The interface shares its MAC, so that it does not receive replies to it before it has the address. */
  readonly broadcast: boolean;
  /** Codes of the options that it asks for. */
  readonly request: readonly number[];
  /** Values of options that it sends. */
  readonly provide: ReadonlyMap<number, Uint8Array>;
  /** Metric of the routes. Default: none. */
  readonly priority?: number;
}

const LONGEST_CLIENT_ID = 254;
/** Bytes of a message that the client accepts: those of Ethernet. */
const MAX_SIZE = 1500;

/** Option 61 of an attachment, as the reference's dhcp has it: type 0 and `<container>/<network>/<interface>`. */
export function clientIdOf(containerId: string, network: string, ifName: string): Uint8Array {
  const text = Buffer.from(`${containerId}/${network}/${ifName}`);
  return Uint8Array.of(0, ...text).subarray(0, LONGEST_CLIENT_ID);
}

/** The varying parts of a message. */
export interface Said {
  readonly xid: number;
  readonly secs: number;
  /** The address that the client has. */
  readonly ciaddr?: Addr;
  /** Option 50. */
  readonly address?: Addr;
  /** Option 54. */
  readonly server?: Addr;
}

/** A message of the client, with the options that its type has (RFC 2131 table 5). */
export function clientMessage(type: keyof typeof TYPE, identity: Identity, said: Said): Message {
  const { xid, secs, ciaddr = ANY, address, server } = said;
  const asks = type === 'discover' || type === 'request';
  const options = new Map<number, Uint8Array>([[OPTION.messageType, Uint8Array.of(TYPE[type])]]);
  options.set(OPTION.clientId, identity.clientId);
  if (address !== undefined) options.set(OPTION.requestedAddress, addrToBytes(address));
  if (server !== undefined) options.set(OPTION.serverId, addrToBytes(server));
  if (asks) {
    options.set(OPTION.maxSize, Uint8Array.of(MAX_SIZE >> 8, MAX_SIZE & 0xff));
    options.set(OPTION.parameters, Uint8Array.from(identity.request));
    for (const [code, value] of identity.provide) options.set(code, value);
  } else {
    const own = identity.provide.get(OPTION.clientId);
    if (own !== undefined) options.set(OPTION.clientId, own);
  }
  return {
    ...{ op: 'request', xid, secs, chaddr: identity.mac, options },
    broadcast: asks && identity.broadcast && ciaddr.value === 0n,
    ...{ ciaddr, yiaddr: ANY, siaddr: ANY, giaddr: ANY },
  };
}
