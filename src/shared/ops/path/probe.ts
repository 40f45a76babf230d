import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../../core/core.ts';
import { asNetError } from '../../errors/net-error.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { formatAddr, sameAddr } from '../../model/addr.ts';
import { openTracer, type Traced, type TraceEvent, type Tracer } from '../../netlink/nft-trace.ts';
import { openConnection, type Probe, type ProbeState, sendDatagram, sendEcho } from '../../netlink/probe-sockets.ts';
import { strerror } from '../../netlink/sys.ts';
import { differences, readCounters } from './counters.ts';
import { NUMBERS, type Question } from './hops.ts';
import type { Prediction } from './prediction.ts';
import { extractRules } from './rule-text.ts';

/** What became of a real packet. */
export interface ProbeReport {
  /** `refused`: it arrived, and nobody listens. `silent`: no answer; of UDP that is usual. */
  readonly result: 'answered' | 'refused' | 'unreachable' | 'silent' | 'not-sent';
  readonly ms?: number;
  /** Why, in words. */
  readonly what: string;
  /** The rule that dropped the packet or its answer. */
  readonly droppedBy?: string;
  /** Packets that interfaces of the host counted meanwhile: `vethab → 3`. */
  readonly counted: readonly string[];
}

const PROBES = 3;
const WAIT_MS = 700;
const STEP_MS = 5;
/** Traces come a moment after the packet. */
const TRACE_MS = 30;

/** Sends packets from the sender's namespace, and follows them through nftables and by the counters of interfaces. */
export async function probePath(core: Core, prediction: Prediction, question: Question): Promise<ProbeReport> {
  const { sender } = prediction;
  const { own } = core.host;
  if (sender === undefined || !(own instanceof LinuxNamespace))
    return {
      result: 'not-sent',
      what: 'the packet would come from elsewhere: run isthmus check-path there',
      counted: [],
    };
  if (question.protocol === 'sctp') return { result: 'not-sent', what: 'probes are of tcp, udp and icmp', counted: [] };
  const before = readCounters(own);
  using tracer = tracerFor(own, prediction, question);
  const since = performance.now();
  const state = await send(sender, prediction, question);
  const ms = Math.round((performance.now() - since) * 10) / 10;
  // What was answered, nothing dropped.
  if (state !== 'answered') await sleep(TRACE_MS);
  const counted = differences(before, readCounters(own));
  const drop = tracer?.events().find(({ drops }) => drops);
  if (drop !== undefined && state !== 'answered') return await dropped(own, drop, prediction, counted);
  return { ...resultOf(state, question, prediction), counted, ...(state === 'answered' && { ms }) };
}

/** Undefined where the kernel does not trace: counters tell the rest. */
function tracerFor(
  own: LinuxNamespace,
  { from, to, target, leaves }: Prediction,
  { protocol }: Question,
): Tracer | undefined {
  const number = NUMBERS[protocol][from.family];
  const there: Traced = { source: from, destination: to, protocol: number };
  const back: Traced = { source: target, destination: from, protocol: number };
  const unmasqueraded: Traced = { source: target, destination: leaves, protocol: number };
  const packets = sameAddr(from, leaves) ? [there, back] : [there, back, unmasqueraded];
  try {
    return own.within(() => openTracer(packets));
  } catch (thrown) {
    if (asNetError(thrown, 'trace').kind === 'kernel') return undefined;
    throw thrown;
  }
}

async function send(sender: LinuxNamespace, { to }: Prediction, { protocol, port }: Question): Promise<ProbeState> {
  let state: ProbeState = 'waiting';
  for (let i = 0; i < PROBES && state === 'waiting'; i++) {
    using probe: Probe = sender.within(() => {
      if (port === undefined || protocol === 'icmp') return sendEcho(to);
      return protocol === 'udp' ? sendDatagram(to, port) : openConnection(to, port);
    });
    for (let waited = 0; waited < WAIT_MS && state === 'waiting'; waited += STEP_MS) {
      await sleep(STEP_MS);
      state = probe.state();
    }
  }
  return state;
}

function resultOf(
  state: ProbeState,
  { protocol, port }: Question,
  { target, targetPort = port }: Prediction,
): Pick<ProbeReport, 'result' | 'what'> {
  if (state === 'answered')
    return { result: 'answered', what: port === undefined ? 'it answers' : `${protocol} ${port} answers` };
  if (state === 'refused')
    return {
      result: 'refused',
      what: `the packet arrived, and nothing listens on ${protocol} ${targetPort} of ${formatAddr(target)}`,
    };
  if (state === 'waiting') {
    const usual = protocol === 'udp' ? '; a program that has nothing to say to an empty datagram is silent, too' : '';
    return { result: 'silent', what: `no answer within ${(PROBES * WAIT_MS) / 1000} s${usual}` };
  }
  return { result: 'unreachable', what: strerror(state.errno) };
}

async function dropped(
  own: LinuxNamespace,
  event: TraceEvent,
  { from, leaves }: Prediction,
  counted: readonly string[],
): Promise<ProbeReport> {
  const [droppedBy = ''] = await extractRules(own, [
    { chain: event.chain, ...(event.handle === undefined ? {} : { handle: event.handle }) },
  ]);
  const isAnswer = [from, leaves].some((one) => formatAddr(one) === event.destination);
  return {
    result: 'silent',
    what: `${isAnswer ? 'its answer' : 'the packet'} was dropped on this host`,
    droppedBy,
    counted,
  };
}
