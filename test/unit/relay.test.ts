import { strict as assert } from 'node:assert';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Budget } from '../../cmd/cnm-shim/relay/ends.ts';
import { relayTcp } from '../../cmd/cnm-shim/relay/tcp.ts';
import { MAX_CLIENTS, relayUdp } from '../../cmd/cnm-shim/relay/udp.ts';

const LOOPBACK6 = '::1';

describe('relay of TCP', () => {
  let server: Server;
  let stack: DisposableStack;
  let accepted: Socket[];

  beforeEach(async () => {
    stack = new DisposableStack();
    accepted = [];
    server = createServer({ allowHalfOpen: true }, (one) => accepted.push(one));
    stack.defer(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    for (const one of accepted) one.destroy();
    stack.dispose();
  });

  const target = (): { host: string; port: number } => ({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  });
  const start = async (budget = new Budget(8)): Promise<number> => {
    const port = await freePort();
    stack.use(relayTcp({ host: LOOPBACK6, port }, target(), { budget, failed: () => assert.fail('it failed') }));
    return port;
  };
  const client = (port: number): Socket => {
    const one = connect({ host: LOOPBACK6, port, allowHalfOpen: true });
    stack.defer(() => one.destroy());
    return one;
  };
  const next = async (count: number): Promise<Socket> => {
    while (accepted.length < count) await once(server, 'connection');
    return accepted[count - 1] as Socket;
  };

  it('an end that has said its last still receives', async () => {
    const one = client(await start());
    one.end('question');
    const other = await next(1);
    assert.equal(await textOf(other), 'question');
    other.end('answer');
    assert.equal(await textOf(one), 'answer');
  });

  it('reads from a client no more than the container takes', async () => {
    const one = client(await start());
    const other = (await next(1)).pause();
    const piece = Buffer.alloc(1 << 20);
    const flood = (): void => {
      while (one.write(piece));
    };
    one.on('drain', flood);
    flood();
    // Kernel buffers fill up; then nothing moves any more.
    let before = -1;
    while (before !== one.bytesWritten - one.writableLength) {
      before = one.bytesWritten - one.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(before < 64 << 20, `${before} bytes were taken`);
    other.destroy();
  });

  it('an error of one end reaches the other', async () => {
    const one = client(await start());
    const other = await next(1);
    other.resetAndDestroy();
    const [error] = await once(one, 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('a container that does not listen resets the client', async () => {
    const port = await start();
    server.close();
    const [error] = await once(client(port), 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('refuses connections beyond the limit, and takes new ones when one has ended', async () => {
    const budget = new Budget(1);
    const port = await start(budget);
    const one = client(port);
    await next(1);
    const [error] = await once(client(port), 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    one.destroy();
    accepted[0]?.destroy();
    while (!budget.take()) await new Promise(setImmediate);
    budget.give();
    client(port).write('x');
    await next(2);
  });

  it('ends all connections with the port', async () => {
    const port = await freePort();
    const relay = relayTcp({ host: LOOPBACK6, port }, target(), { budget: new Budget(8), failed: () => {} });
    const one = client(port);
    await next(1);
    relay[Symbol.dispose]();
    await once(one.resume(), 'end');
    await assert.rejects(once(client(port), 'connect'), { code: 'ECONNREFUSED' });
  });

  it('tells once that it cannot listen', async () => {
    const other = createServer();
    await once(other.listen({ host: LOOPBACK6, port: 0 }), 'listening');
    const { port } = other.address() as AddressInfo;
    let times = 0;
    await new Promise<void>((resolve) => {
      const failed = (): void => {
        times++;
        resolve();
      };
      stack.use(relayTcp({ host: LOOPBACK6, port }, target(), { budget: new Budget(8), failed }));
    });
    other.close();
    assert.equal(times, 1);
  });
});

describe('relay of UDP', () => {
  let server: UdpSocket;
  let stack: DisposableStack;

  beforeEach(async () => {
    stack = new DisposableStack();
    server = createSocket('udp4');
    stack.defer(() => server.close());
    server.on('message', (bytes, { port, address }) => server.send(`${bytes} from ${port}`, port, address));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => stack.dispose());

  it('answers each client from its own socket', async () => {
    const port = await freePort();
    const to = { host: '127.0.0.1', port: server.address().port };
    stack.use(
      relayUdp({ host: LOOPBACK6, port }, to, { budget: new Budget(8), failed: () => assert.fail('it failed') }),
    );
    const ask = async (): Promise<string> => {
      const one = createSocket('udp6');
      stack.defer(() => one.close());
      one.send('hello', port, LOOPBACK6);
      const [bytes] = await once(one, 'message');
      return String(bytes);
    };
    const answers = [await ask(), await ask()];
    assert.equal(new Set(answers).size, 2, answers.join());
    assert.match(answers.join(), /^hello from \d+,hello from \d+$/);
  });

  it('makes room for a new client', async () => {
    const port = await freePort();
    const budget = new Budget(MAX_CLIENTS + 1);
    const to = { host: '127.0.0.1', port: server.address().port };
    stack.use(relayUdp({ host: LOOPBACK6, port }, to, { budget, failed: () => assert.fail('it failed') }));
    for (let i = 0; i < MAX_CLIENTS + 3; i++) {
      // Open until the end, so that each has a port of its own.
      const one = createSocket('udp6');
      stack.defer(() => one.close());
      one.send('hello', port, LOOPBACK6);
      await once(one, 'message');
    }
    assert.ok(budget.take(), 'no more than the limit are kept');
    assert.ok(!budget.take());
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen({ host: LOOPBACK6, port: 0 }), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const piece of socket.iterator({ destroyOnReturn: false })) text += piece;
  return text;
}
