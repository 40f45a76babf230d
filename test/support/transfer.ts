import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestNetns } from './netns.ts';

const BYTES = 300_000;
const PORT = 7_300;

/** 300 kB arrive over TCP: full segments pass, not only the small packets of an echo request. */
export async function assertTransfer(from: TestNetns, to: TestNetns, address: string): Promise<void> {
  const script = `
    const server = require('net').createServer((socket) => {
      let size = 0;
      socket.on('data', (data) => { size += data.length; });
      socket.on('end', () => { socket.end(String(size)); server.close(); });
    }).listen(${PORT}, '${address}', () => console.log('up'));
    setTimeout(() => process.exit(), 10000).unref();`;
  const words = [`--net=${to.path}`, '--', process.execPath, '-e', script];
  const server = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(server.stdout, 'data');
    const ended = once(server, 'exit');
    const client = `
      const socket = require('net').connect(${PORT}, '${address}', () => socket.end(Buffer.alloc(${BYTES})));
      socket.setTimeout(8000, () => process.exit(1));
      socket.pipe(process.stdout);`;
    assert.equal(from.run(process.execPath, '-e', client), String(BYTES), `300 kB to ${address}`);
    await ended;
  } finally {
    server.kill('SIGKILL');
  }
}
