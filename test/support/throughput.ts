import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { TestNetns } from './netns.ts';

/** The first part of a connection is not measured: a bucket that is full lets it through at once. */
const WARM_UP_MS = 500;
const CHUNK = Buffer.alloc(64 * 1024);

/** Bits a second that a TCP connection from one namespace to another's address carries, for so many milliseconds. */
export async function throughput(from: TestNetns, to: TestNetns, address: string, duration: number): Promise<number> {
  const server = start(to, 'receive', address);
  try {
    const lines = createInterface(server.stdout);
    const [port] = (await once(lines, 'line')) as [string];
    const sender = start(from, 'send', address, port, String(duration));
    const [[answer]] = (await Promise.all([once(lines, 'line'), once(sender, 'close')])) as [[string], unknown];
    return Number(answer);
  } finally {
    server.kill('SIGKILL');
  }
}

function start(ns: TestNetns, ...words: string[]) {
  const command = ['netns', 'exec', ns.name, process.execPath, import.meta.filename, ...words];
  return spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Tells the port that it listens on, then the rate of the first connection once that has ended. */
function receive(address: string): void {
  const server = createServer((socket) => {
    let start = 0;
    let last = 0;
    let bytes = 0;
    socket.on('data', (chunk) => {
      last = performance.now();
      if (start === 0) start = last + WARM_UP_MS;
      else if (last >= start) bytes += chunk.length;
    });
    socket.on('end', () => {
      console.log(Math.round((bytes * 8 * 1000) / (last - start)));
      process.exit(0);
    });
  });
  server.listen(0, address, () => {
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') console.log(bound.port);
  });
}

function send(address: string, port: number, duration: number): void {
  const socket = connect(port, address, () => {
    const end = performance.now() + duration;
    const more = (): void => {
      while (performance.now() < end) {
        if (socket.write(CHUNK)) continue;
        socket.once('drain', more);
        return;
      }
      socket.end();
    };
    more();
  });
  socket.on('error', (error) => {
    console.error(String(error));
    process.exit(1);
  });
}

if (import.meta.main) {
  const [how, address = '', port, duration] = process.argv.slice(2);
  if (how === 'receive') receive(address);
  else send(address, Number(port), Number(duration));
}
