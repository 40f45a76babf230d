import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { COMPILE_CACHE } from './compile-cache.ts';
import type { TestNetns } from './netns.ts';
import type { Answer, Command, ProbeCommand, TrafficProtocol } from './traffic-words.ts';

/**
 * The outcome of a probe: `<name> saw <address>` from the server that answered, `refused`, `reset`, `unreachable`, or
 * `silent` without any answer.
 */
export type Outcome = string;

/** The target of a probe. */
export interface Target {
  readonly protocol?: TrafficProtocol;
  readonly address: string;
  readonly port: number;
  /** For groups and broadcasts (udp): the interface to send by; anybody may answer. */
  readonly interface?: string;
}

/** A long-lived process inside a namespace that serves and probes: a probe costs about a millisecond. */
export interface Agent extends Disposable {
  readonly name: string;
  /**
   * Answers each connection or datagram with `<name> saw <its address>`. Without an address it listens on all of both
   * families for tcp and sctp, all of IPv4 for udp. For sctp a raw socket answers the first packet of an association.
   */
  serve(protocol: TrafficProtocol, port: number, address?: string): Promise<void>;
  /** The same for datagrams to a multicast group. */
  join(port: number, group: string, device: string): Promise<void>;
  /** One connection, or one datagram. Milliseconds of patience; three seconds unless given. */
  probe(target: Target, patience?: number): Promise<Outcome>;
  /** Probes one after the other for so many milliseconds; how often each outcome came. */
  storm(target: Target, duration: number): Promise<Readonly<Record<Outcome, number>>>;
  /** A connection that stays, or datagrams from one port to one (tcp unless given); throws where tcp gets no answer. */
  open(address: string, port: number, protocol?: 'tcp' | 'udp'): Promise<Connection>;
}

export interface Connection {
  /** The first outcome. */
  readonly greeting: Outcome;
  /** The current answer; waits three seconds by default. */
  exchange(patience?: number): Promise<Outcome>;
}

/** Milliseconds: long enough for an answer on a busy machine, short enough for hundreds of tests that expect none. */
const SILENCE = 250;
const PATIENCE = 3_000;

/** Starts the process in the namespace; it ends with `using`, and by itself when this process ends. */
export function startAgent(name: string, ns: Pick<TestNetns, 'path'>): Agent {
  const script = join(import.meta.dirname, 'traffic-agent.ts');
  const words = [`--net=${ns.path}`, '--', process.execPath, '--no-warnings', script, name];
  const env = { ...process.env, ...COMPILE_CACHE };
  const child = spawn('nsenter', words, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, PromiseWithResolvers<string>>();
  let ids = 0;
  let over: Error | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer: Answer = JSON.parse(line);
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(new Error(`${name}: ${answer.error}`));
    else asked?.resolve(answer.result);
  });
  child.on('close', (code, signal) => {
    over = new Error(`the traffic agent of ${name} ended (${signal ?? code})`);
    for (const asked of waiting.values()) asked.reject(over);
  });
  child.stdin.on('error', () => {});
  // A test that forgets to dispose must not keep this process alive.
  child.unref();

  const tell = (make: (id: number) => Command): Promise<string> => {
    if (over !== undefined) return Promise.reject(over);
    const asked = Promise.withResolvers<string>();
    const command = make(++ids);
    waiting.set(command.id, asked);
    child.stdin.write(`${JSON.stringify(command)}\n`);
    return asked.promise;
  };
  const probeOf = (id: number, { protocol = 'tcp', ...rest }: Target, patience: number): ProbeCommand => ({
    id,
    protocol,
    ...rest,
    patience,
  });
  return {
    name,
    async serve(protocol, port, address) {
      await tell((id) => ({ id, does: 'serve', protocol, port, ...(address === undefined ? {} : { address }) }));
    },
    async join(port, address, device) {
      const group = { address, interface: device };
      await tell((id) => ({ id, does: 'serve', protocol: 'udp', port, group }));
    },
    probe: (target, patience = PATIENCE) => tell((id) => ({ does: 'probe', ...probeOf(id, target, patience) })),
    async storm(target, duration) {
      return JSON.parse(await tell((id) => ({ id, does: 'storm', probe: probeOf(id, target, SILENCE), duration })));
    },
    async open(address, port, protocol = 'tcp') {
      let connection = 0;
      const greeting = await tell((id) => {
        connection = id;
        return { id, does: 'open', protocol, address, port };
      });
      const exchange = (patience = PATIENCE): Promise<Outcome> =>
        tell((id) => ({ id, does: 'exchange', connection, patience }));
      return { greeting, exchange };
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

/**
 * A probe and what is to come of it: a whole outcome; the name of the server that has to answer, whomever it saw; or
 * `blocked`: no answer, however that is said.
 */
export type Expectation = readonly [from: Agent, to: Target, expected: Outcome];

/** Probes all at once and compares all outcomes, so that one failure shows which other probes failed. */
export async function assertTraffic(expectations: readonly Expectation[]): Promise<void> {
  const lines = await Promise.all(
    expectations.map(async ([from, to, expected]) => {
      const negative = expected === 'blocked' || expected === 'silent';
      const outcome = await from.probe(to, negative ? SILENCE : PATIENCE);
      const where = `${from.name} → ${to.protocol ?? 'tcp'} ${to.address} ${to.port}: `;
      return { is: where + shorten(outcome, expected), was: where + expected };
    }),
  );
  assert.deepEqual(
    lines.map(({ is }) => is),
    lines.map(({ was }) => was),
  );
}

/** The outcome in the words of the expectation where it fulfils it. */
function shorten(outcome: Outcome, expected: Outcome): Outcome {
  if (expected === 'blocked') return ['silent', 'refused', 'unreachable'].includes(outcome) ? expected : outcome;
  return expected.includes(' ') ? outcome : (outcome.split(' ')[0] ?? outcome);
}
