import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import { flushCompileCache } from 'node:module';
import net from 'node:net';
import { createInterface } from 'node:readline';
import type { Family } from '../../src/shared/model/addr.ts';
import type { RawSctp } from './raw-sctp.ts';
import type { Answer, Command, ProbeCommand, ServeCommand } from './traffic-words.ts';

/**
 * The child that traffic.ts runs inside a namespace: reads commands as lines of JSON, and answers each with one. Its
 * servers send `<name> saw <address of the peer>` to each client, and again for each line or datagram.
 */
const [name = ''] = process.argv.slice(2);
/** Asks a question and calls back with the answer, until the returned function is called. */
type Ask = (hear: (outcome: Buffer | string) => void) => () => void;

/** Milliseconds for the first answer to a datagram. */
const PATIENCE = 3_000;
const connections = new Map<number, Ask>();
const raws = new Map<Family, RawSctp>();

function serve(command: ServeCommand): Promise<string> {
  const { protocol, port, address, group } = command;
  if (protocol === 'sctp') return serveSctp(command);
  return new Promise((resolve, reject) => {
    if (protocol === 'tcp') {
      const server = net.createServer((socket) => {
        const say = (): boolean => socket.write(`${saw(socket.remoteAddress)}\n`);
        // A peer that leaves early is not this server's business.
        socket.on('error', () => {}).on('data', say);
        say();
      });
      server.on('error', reject).listen({ port, host: address ?? '::' }, () => resolve('serving'));
      return;
    }
    const family = address?.includes(':') || group?.address.includes(':') ? 'udp6' : 'udp4';
    const socket = dgram.createSocket({ type: family, ipv6Only: family === 'udp6', reuseAddr: true });
    socket.on('message', (_, peer) => socket.send(saw(peer.address), peer.port, peer.address));
    socket.on('error', reject).bind(port, address, () => {
      if (group !== undefined) socket.addMembership(group.address, group.interface);
      resolve('serving');
    });
  });
}

function probe(command: ProbeCommand): Promise<string> {
  if (command.protocol === 'sctp') return probeSctp(command);
  return command.protocol === 'tcp' ? probeTcp(command) : probeUdp(command);
}

function probeTcp({ address, port, patience }: ProbeCommand): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port });
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(end, patience, 'silent');
    socket.on('error', (error) => end(failure(error)));
    socket.on('data', (data) => end(data.toString().trim()));
    socket.on('end', () => end('closed'));
  });
}

/** Milliseconds until a packet without an answer is sent again: one may get lost on a busy machine, TCP's are not. */
const AGAIN = 500;

function probeUdp({ address, port, patience, interface: device }: ProbeCommand): Promise<string> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    let again: NodeJS.Timeout | undefined;
    const end = (outcome: string): void => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(end, patience, 'silent');
    const keep = (send: () => void): void => {
      again = setInterval(send, AGAIN);
      send();
    };
    socket.on('error', (error) => end(failure(error)));
    socket.on('message', (data) => end(data.toString().trim()));
    if (device === undefined) {
      // Connected: an answer from any other address than the one asked does not count.
      socket.connect(port, address, () => keep(() => socket.send('?')));
      return;
    }
    socket.bind(0, () => {
      socket.setBroadcast(true);
      socket.setMulticastInterface(device);
      keep(() => socket.send('?', port, address));
    });
  });
}

/** Loaded where it is needed: on kernels without raw sockets the rest still works. */
async function sctp(family: Family): Promise<RawSctp> {
  const { RawSctp } = await import('./raw-sctp.ts');
  const raw = raws.get(family) ?? new RawSctp(family);
  raws.set(family, raw);
  await raw.ready;
  return raw;
}

async function serveSctp({ port }: ServeCommand): Promise<string> {
  for (const family of [4, 6] as const) {
    const raw = await sctp(family);
    raw.listen(({ kind, from, to, tag }, peer) => {
      if (kind !== 'INIT' || to !== port) return;
      raw.send({ kind: 'INIT ACK', from: port, to: from, tag: 1, verification: tag, cookie: saw(peer) }, peer);
    });
  }
  return 'serving';
}

async function probeSctp({ address, port, patience }: ProbeCommand): Promise<string> {
  const raw = await sctp(address.includes(':') ? 6 : 4);
  const from = randomInt(20_000, 60_000);
  const tag = randomInt(1, 2 ** 31);
  return new Promise((resolve) => {
    const send = (): void => raw.send({ kind: 'INIT', from, to: port, tag, verification: 0, cookie: '' }, address);
    const again = setInterval(send, AGAIN);
    const end = (outcome: string): void => {
      clearTimeout(timer);
      clearInterval(again);
      deaf();
      resolve(outcome);
    };
    const timer = setTimeout(end, patience, 'silent');
    const deaf = raw.listen((packet, peer) => {
      const mine = packet.kind === 'INIT ACK' && packet.to === from && packet.verification === tag;
      if (mine && packet.from === port && peer === address) end(packet.cookie);
    });
    send();
  });
}

function failure(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ECONNRESET') return 'reset';
  return code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EACCES' ? 'unreachable' : error.message;
}

function saw(address = ''): string {
  return `${name} saw ${address.replace(/^::ffff:/, '')}`;
}

/** The connection stays until this process ends; it is asked again by `exchange`. */
function open(id: number, protocol: 'tcp' | 'udp', address: string, port: number): Promise<string> {
  return protocol === 'tcp' ? openTcp(id, address, port) : openUdp(id, address, port);
}

function openTcp(id: number, address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port });
    connections.set(id, (hear) => {
      socket.once('data', hear).write('?\n');
      return () => socket.off('data', hear);
    });
    socket.once('error', reject).once('data', (data) => {
      socket.removeAllListeners('error').on('error', () => {});
      resolve(data.toString().trim());
    });
  });
}

async function openUdp(id: number, address: string, port: number): Promise<string> {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  connections.set(id, (hear) => {
    const fail = (error: Error): void => hear(failure(error));
    socket.once('message', hear).once('error', fail).send('?');
    return () => socket.off('message', hear).off('error', fail);
  });
  await new Promise<void>((resolve) => socket.connect(port, address, resolve));
  return exchange(id, PATIENCE);
}

/** The answer to one more request. */
function exchange(id: number, patience: number): Promise<string> {
  const ask = connections.get(id);
  if (ask === undefined) throw new Error(`no connection ${id}`);
  return new Promise((resolve) => {
    const end = (outcome: Buffer | string): void => {
      clearTimeout(timer);
      deaf();
      resolve(outcome.toString().trim());
    };
    const timer = setTimeout(end, patience, 'silent');
    const deaf = ask(end);
  });
}

/** Probes one after the other for so many milliseconds: `{"a1 saw 192.0.2.9":412}`. */
async function storm(command: ProbeCommand, duration: number): Promise<string> {
  const seen: Record<string, number> = {};
  const end = Date.now() + duration;
  while (Date.now() < end) {
    const outcome = await probe(command);
    seen[outcome] = (seen[outcome] ?? 0) + 1;
  }
  return JSON.stringify(seen);
}

function obey(command: Command): Promise<string> {
  switch (command.does) {
    case 'serve':
      return serve(command);
    case 'probe':
      return probe(command);
    case 'storm':
      return storm(command.probe, command.duration);
    case 'open':
      return open(command.id, command.protocol, command.address, command.port);
    case 'exchange':
      return exchange(command.connection, command.patience);
  }
}

function answer(answered: Answer): void {
  process.stdout.write(`${JSON.stringify(answered)}\n`);
}

// It is killed in the end, when Node would keep what it has compiled.
flushCompileCache();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command: Command = JSON.parse(line);
  obey(command).then(
    (result) => answer({ id: command.id, result }),
    (error: unknown) => answer({ id: command.id, error: String(error) }),
  );
});
// The parent exited: stop the servers.
lines.on('close', () => process.exit());
