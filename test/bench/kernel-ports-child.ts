import { parseDocument } from '../../src/shared/config/document.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { address } from '../../src/shared/netlink/address.ts';
import { encodeRequests } from '../../src/shared/netlink/chunks.ts';
import {
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_SETLINK,
} from '../../src/shared/netlink/constants.ts';
import { link } from '../../src/shared/netlink/link.ts';
import { route } from '../../src/shared/netlink/route.ts';
import { NetlinkSocket, type Request } from '../../src/shared/netlink/socket.ts';
import { add } from '../../src/shared/runtime/cni/add.ts';
import { type Call, readingOf } from '../../src/shared/runtime/cni/request.ts';
import { openCore } from '../../src/shared/runtime/context.ts';
import { MARKS, type RecordOrder } from './kernel-ports.ts';

/** The requests of one send, and the socket that they went through. */
interface Sent {
  readonly socket: NetlinkSocket;
  readonly requests: readonly Request[];
}

/** Of rtnetlink; those of nfnetlink have a subsystem above these bits. */
const isRoute = ({ type }: Request): boolean => type < 0x100;
/** Each kind of object has four messages; the third one reads (rtnetlink.h). */
const isChange = ({ type }: Request): boolean => type % 4 !== RTM_GETLINK % 4;

/** Everything that `work` changes by rtnetlink, send by send. */
async function recorded(work: () => Promise<unknown>): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  const { exchange, exchangeAsync } = NetlinkSocket.prototype;
  const note = (socket: NetlinkSocket, requests: readonly Request[]): void => {
    if (requests.every(isRoute) && requests.some(isChange)) sent.push({ socket, requests: requests.filter(isChange) });
  };
  NetlinkSocket.prototype.exchange = function (requests, options) {
    note(this, requests);
    return exchange.call(this, requests, options);
  };
  NetlinkSocket.prototype.exchangeAsync = function (requests) {
    note(this, requests);
    return exchangeAsync.call(this, requests);
  };
  try {
    await work();
  } finally {
    Object.assign(NetlinkSocket.prototype, { exchange, exchangeAsync });
  }
  return sent;
}

/** The request with marks in place of what differs from host to host, and from port to port. */
function marked({ payload, ...request }: Request): Request {
  return { ...request, payload: markedPayload(request.type, payload) };
}

function markedPayload(type: number, payload: Uint8Array): Uint8Array {
  switch (type) {
    case RTM_SETLINK: {
      const { header, attrs } = known(link.decode(payload));
      if (attrs.alias === undefined) return payload;
      // A daemon would see damage in the deletion of a link with an alias of ours.
      return link.encode({ header, attrs: { ...attrs, alias: attrs.alias.replace(/^./, '-') } });
    }
    case RTM_NEWLINK: {
      const { header, attrs } = known(link.decode(payload));
      const { veth } = attrs.info ?? {};
      if (veth?.peer === undefined) return payload;
      const peer = { ...veth.peer, attrs: { ...veth.peer.attrs, netnsFd: MARKS.POD_MARK } };
      const info = { ...attrs.info, veth: { ...veth, peer } };
      return link.encode({ header, attrs: { ...attrs, master: MARKS.BRIDGE_MARK, info } });
    }
    case RTM_NEWADDR: {
      const { header, attrs } = known(address.decode(payload));
      return address.encode({ header: { ...header, index: MARKS.INTERFACE_MARK }, attrs });
    }
    case RTM_NEWROUTE: {
      const { header, attrs } = known(route.decode(payload));
      return route.encode({ header, attrs: { ...attrs, oif: MARKS.INTERFACE_MARK } });
    }
    default:
      throw new Error(`an ADD sends message ${type}, which ports.c cannot repeat`);
  }
}

function known<T>(message: T | undefined): T {
  if (message === undefined) throw new Error('a message of our own does not decode');
  return message;
}

function isPair({ type, payload }: Request): boolean {
  return type === RTM_NEWLINK && link.decode(payload)?.attrs.info?.kind === 'veth';
}

async function addOne(
  core: ReturnType<typeof openCore>,
  config: Readonly<Record<string, unknown>>,
  netns: string,
  nth: number,
) {
  const portMappings = [{ hostPort: 20_000 + nth, containerPort: 80, protocol: 'tcp' }];
  const place = { netns, containerId: `pod${nth}`, ifName: `eth${nth}`, args: '', path: [], ownNamespace: false };
  const text = JSON.stringify({ ...config, runtimeConfig: { portMappings } });
  const variables = { command: 'ADD', ...place } as const;
  const call: Call = { plugin: 'isthmus', variables, env: {}, stderr: () => {}, text, version: '1.1.0' };
  await add({ ...call, config: parsePlugin(parseDocument(text), readingOf(call, 'ADD')) }, core);
}

/** Prints what ports.c reads: the messages of the second ADD of a network, which finds the bridge there. */
async function main({ stateDir, netns, config }: RecordOrder): Promise<void> {
  using core = openCore({ ISTHMUS_STATE_DIR: stateDir });
  await addOne(core, config, netns, 0);
  const sent = await recorded(() => addOne(core, config, netns, 1));
  const host = sent.find(({ requests }) => requests.some(isPair))?.socket;
  if (host === undefined) throw new Error('the ADD made no veth pair');
  for (const { socket, requests } of sent) {
    const bytes = encodeRequests(requests.map(marked), 1);
    console.log(`${socket === host ? 'host' : 'pod'} ${Buffer.from(bytes).toString('hex')}`);
  }
}

await main(JSON.parse(process.argv[2] ?? ''));
