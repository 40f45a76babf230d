import { type Addr, addrFromBytes, addrToBytes, formatAddr } from '../model/addr.ts';
import { attr, body, nested } from './attrs.ts';
import { be32, string } from './codec.ts';
import { NETLINK_NETFILTER, NLM_F_CREATE } from './constants.ts';
import { listenTo } from './listener.ts';
import type { Message } from './message.ts';
import { socketError } from './message.ts';
import {
  NF_BR_PRE_ROUTING,
  NF_DROP,
  NF_INET_LOCAL_OUT,
  NF_INET_PRE_ROUTING,
  NFNL_SUBSYS_NFTABLES,
  NFNLGRP_NFTRACE,
  NFPROTO_BRIDGE,
  NFPROTO_INET,
  NFT_CMP_EQ,
  NFT_META_L4PROTO,
  NFT_META_NFTRACE,
  NFT_META_PROTOCOL,
  NFT_MSG_NEWTABLE,
  NFT_MSG_TRACE,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_REG_1,
  NFT_TABLE_F_OWNER,
  NFT_TRACETYPE_POLICY,
  NFTA_TABLE_FLAGS,
  NFTA_TABLE_NAME,
  NFTA_TRACE_CHAIN,
  NFTA_TRACE_ID,
  NFTA_TRACE_NETWORK_HEADER,
  NFTA_TRACE_POLICY,
  NFTA_TRACE_RULE_HANDLE,
  NFTA_TRACE_TABLE,
  NFTA_TRACE_TYPE,
  NFTA_TRACE_VERDICT,
  NFTA_VERDICT_CODE,
} from './netfilter.ts';
import { NFGENMSG, nftType, raw } from './nfnetlink.ts';
import { addChainRequest, addRuleRequest, transact } from './nft-batch.ts';
import { be64, type ChainId, type Expression } from './nft-rules.ts';
import { NetlinkSocket, type Request } from './socket.ts';

/** Packets of one kind, in one direction, before anything translates them. */
export interface Traced {
  readonly source: Addr;
  readonly destination: Addr;
  /** IPPROTO_* */
  readonly protocol: number;
}

/** A rule, or a policy, that a traced packet met. */
export interface TraceEvent {
  /** Equal for all events of one packet in one place of its way. */
  readonly id: number;
  readonly chain: ChainId;
  /** Absent for a policy. */
  readonly handle?: bigint;
  readonly drops: boolean;
  /** The first event of an id has them. */
  readonly source?: string;
  readonly destination?: string;
}

export interface Tracer extends Disposable {
  /** The events so far, in order. */
  events(): readonly TraceEvent[];
}

const NAME = 'isthmus-trace';
/** Before connection tracking, and before every other program's chains of the hook. */
const FIRST = -1000;

const table = body(NFGENMSG, { name: attr(NFTA_TABLE_NAME, string), flags: attr(NFTA_TABLE_FLAGS, be32) });
const trace = body(NFGENMSG, {
  table: attr(NFTA_TRACE_TABLE, string),
  chain: attr(NFTA_TRACE_CHAIN, string),
  handle: attr(NFTA_TRACE_RULE_HANDLE, be64),
  type: attr(NFTA_TRACE_TYPE, be32),
  verdict: attr(NFTA_TRACE_VERDICT, nested({ code: attr(NFTA_VERDICT_CODE, be32) })),
  id: attr(NFTA_TRACE_ID, be32),
  network: attr(NFTA_TRACE_NETWORK_HEADER, raw),
  policy: attr(NFTA_TRACE_POLICY, be32),
});

/**
 * Has the kernel report each rule that these packets meet in the thread's namespace, until disposed. The rules that mark
 * them are in tables that belong to a socket of this process: the kernel deletes them when the process ends, however it
 * ends. Throws NetError `kernel` where it cannot (Linux before 5.12).
 */
export function openTracer(packets: readonly Traced[]): Tracer {
  const found: TraceEvent[] = [];
  const opened = new DisposableStack();
  try {
    opened.use(
      listenTo({
        protocol: NETLINK_NETFILTER,
        groups: [NFNLGRP_NFTRACE],
        messages: (messages) => found.push(...messages.flatMap((message) => eventOf(message) ?? [])),
        lost: () => {},
      }),
    );
    const socket = opened.use(new NetlinkSocket(NETLINK_NETFILTER));
    const replies = transact(socket, requestsFor(packets));
    const failed = replies.find(({ errno }) => errno !== 0);
    if (failed !== undefined) throw socketError(failed.errno, 'packets cannot be traced', failed.text);
  } catch (error) {
    opened.dispose();
    throw error;
  }
  return { events: () => found, [Symbol.dispose]: () => opened.dispose() };
}

const PLACES = [
  { family: NFPROTO_INET, chain: 'prerouting', number: NF_INET_PRE_ROUTING },
  { family: NFPROTO_INET, chain: 'output', number: NF_INET_LOCAL_OUT },
  { family: NFPROTO_BRIDGE, chain: 'prerouting', number: NF_BR_PRE_ROUTING },
] as const;

function requestsFor(packets: readonly Traced[]): Request[] {
  const tables = [NFPROTO_INET, NFPROTO_BRIDGE].map((family): Request => {
    const payload = table.encode({ header: { family }, attrs: { name: NAME, flags: NFT_TABLE_F_OWNER } });
    return { type: nftType(NFT_MSG_NEWTABLE), flags: NLM_F_CREATE, payload };
  });
  const chains = PLACES.flatMap(({ family, chain, number }) => {
    const id = { family, table: NAME, chain };
    const rules = packets.map((packet) =>
      addRuleRequest({ chain: id, append: true, expressions: marking(packet), userdata: new Uint8Array() }),
    );
    return [addChainRequest(id, { number, priority: FIRST }), ...rules];
  });
  return [...tables, ...chains];
}

const ETHERTYPES = { 4: [0x08, 0x00], 6: [0x86, 0xdd] } as const;
const OFFSETS = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;

function marking({ source, destination, protocol }: Traced): Expression[] {
  const { family } = source;
  const at = (offset: number, addr: Addr): Expression[] => {
    const value = addrToBytes(addr);
    const load = { dreg: NFT_REG_1, base: NFT_PAYLOAD_NETWORK_HEADER, offset, len: value.length };
    return [{ name: 'payload', payload: load }, equal(value)];
  };
  const loaded = (key: number): Expression => ({ name: 'meta', meta: { dreg: NFT_REG_1, key } });
  return [
    ...[loaded(NFT_META_PROTOCOL), equal(Uint8Array.from(ETHERTYPES[family]))],
    ...[loaded(NFT_META_L4PROTO), equal(Uint8Array.of(protocol))],
    ...at(OFFSETS[family].source, source),
    ...at(OFFSETS[family].destination, destination),
    { name: 'immediate', immediate: { dreg: NFT_REG_1, data: { value: Uint8Array.of(1) } } },
    { name: 'meta', meta: { key: NFT_META_NFTRACE, sreg: NFT_REG_1 } },
  ];
}

function equal(value: Uint8Array): Expression {
  return { name: 'cmp', cmp: { sreg: NFT_REG_1, op: NFT_CMP_EQ, data: { value } } };
}

function eventOf({ type, payload }: Message): TraceEvent | undefined {
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES || (type & 0xff) !== NFT_MSG_TRACE) return undefined;
  const { header, attrs } = trace.decode(payload, true) ?? {};
  if (header === undefined || attrs?.table === undefined || attrs.chain === undefined) return undefined;
  if (attrs.table === NAME) return undefined;
  const { id = 0, handle, verdict, policy, network } = attrs;
  const drops = attrs.type === NFT_TRACETYPE_POLICY ? policy === NF_DROP : verdict?.code === NF_DROP;
  const chain = { family: header.family, table: attrs.table, chain: attrs.chain };
  return { id, chain, drops, ...(handle === undefined ? {} : { handle }), ...addressesIn(network) };
}

function addressesIn(header: Uint8Array | undefined): Pick<TraceEvent, 'source' | 'destination'> {
  const family = (header?.[0] ?? 0) >> 4 === 6 ? 6 : 4;
  const { source, destination } = OFFSETS[family];
  const size = family === 4 ? 4 : 16;
  const at = (offset: number): Addr | undefined =>
    addrFromBytes(header?.subarray(offset, offset + size) ?? new Uint8Array());
  const [from, to] = [at(source), at(destination)];
  return from === undefined || to === undefined ? {} : { source: formatAddr(from), destination: formatAddr(to) };
}
