import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { MAX_BODY, REQUEST_BYTES } from '../../src/shared/runtime/cni/protocol.ts';
import type { CniCommand } from '../support/cni.ts';
import {
  firstByte,
  flood,
  header,
  type PeerOptions,
  request,
  STRANGER,
  saidTo,
  startClient,
  wholeRequest,
} from '../support/daemon-client.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';

/** The daemon serves launchers beside any other client, and frees what that client used. */
describe('the daemon and clients other than launchers', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let files: ReturnType<typeof makeTempDir>;
  let clean: string;
  let open: number;

  before(async () => {
    bin = daemonBin();
    files = makeTempDir();
    site = makeSite(bin, { pods: 1 });
    site.host.pod(0).ip('link', 'set', 'lo', 'up');
    await site.start();
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
    open = descriptors();
  });
  after(() => {
    site?.[Symbol.dispose]();
    files?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const path = () => join(site.runDir, 'cni.sock');
  const descriptors = () => readdirSync(`/proc/${site.daemon.pid}/fd`).length;
  const memory = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${site.daemon.pid}/status`, 'utf8'))?.[1]);
  const client = async (): Promise<Socket> => {
    const socket = connect(path());
    socket.on('error', () => {}); // EPIPE and ECONNRESET of one that the daemon has shut
    await once(socket, 'connect');
    return socket;
  };
  /** A call is served, by the daemon and not beside it. */
  const works = () => {
    const served = site.daemon.served('DEL');
    site.ok('ADD');
    site.ok('DEL');
    assert.equal(site.daemon.served('DEL'), served + 1);
    assertSame(site.host.snapshot(), clean);
  };
  const nothingLeaks = async () => {
    works();
    await until(() => descriptors() <= open, `${open} descriptors again`);
  };

  it('closes a connection that sends half a request or never reads its answer', async () => {
    // The answer contains the result of an earlier plugin, and is larger than a socket buffer.
    const MORE = { gw: 'fd88:1234:5678:9abc:def0:1234:5678:9abc', mtu: 1400, advmss: 1340, priority: 1024, table: 254 };
    const routes = Array.from({ length: 4096 }, (_, i) => ({ ...MORE, dst: `fd00:${i.toString(16)}::/32` }));
    const prevResult = { cniVersion: '1.0.0', interfaces: [], ips: [], routes, dns: {} };
    const answered = await recorded('ADD', {
      cniVersion: '1.0.0',
      name: 'lo',
      type: 'isthmus',
      driver: 'null',
      prevResult,
    });
    const deaf = startClient({ ...asFile(answered), sandbox: site.host.pod(0).path, how: 'deaf', count: 20 });
    const sockets = await Promise.all(Array.from({ length: 40 }, client));
    const sent = [request('half').subarray(0, REQUEST_BYTES + 2), request('').subarray(0, 20)];
    for (const [i, socket] of sockets.entries()) {
      socket.pause();
      socket.write(sent[i % 2] ?? '');
    }
    await until(() => site.daemon.served('ADD') >= 20, 'ADDs');
    assert.ok(descriptors() >= open + 60, 'each keeps its connection for a while');
    works();
    await until(() => descriptors() <= open, 'cutting off', 40);
    deaf.kill();
    for (const socket of sockets) socket.destroy();
    await nothingLeaks();
  });

  it('declines 100 MB at the header, and does not buffer the rest', async () => {
    const before = memory();
    for (let i = 0; i < 3; i++) {
      const socket = await client();
      const [first] = await Promise.all([firstByte(socket), flood(socket, header(100 << 20), 100)]);
      assert.ok(first === 'D' || first === '', `said ${first}`);
      works();
    }
    for (let i = 0; i < 3; i++) {
      const socket = await client();
      await Promise.all([firstByte(socket), flood(socket, header(MAX_BODY), 100)]);
    }
    await nothingLeaks();
    assert.ok(memory() - before < 60_000, `${before} kB before, ${memory()} kB after 600 MB`);
  });

  it('reads a request of the maximum size, and declines one that is a byte larger', async () => {
    const largest = await client();
    largest.write(Buffer.concat([header(MAX_BODY), Buffer.alloc(MAX_BODY, 'x')]));
    assert.equal(await firstByte(largest), 'D');
    const larger = await client();
    larger.write(header(MAX_BODY + 1));
    assert.equal(await firstByte(larger), 'D');
    await nothingLeaks();
  });

  it('declines garbage', async () => {
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const fields = [
      [4, 0xffff],
      [4, 0],
      [6, 1],
    ] as const;
    const headers = fields.map(([at, value]) => {
      const bytes = request('\0');
      bytes.writeUInt16LE(value, at);
      return bytes;
    });
    const garbage = [
      everyByte,
      Buffer.alloc(REQUEST_BYTES),
      Buffer.from(`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(20)}\r\n`),
    ];
    const bodies = [
      '',
      '\0',
      '\0\0',
      'isthmus',
      'isthmus\0',
      'isthmus\0CNI_COMMAND=ADD',
      'isthmus\0=\0==\0\0',
      '\xff\xfe\0\0{',
    ];
    for (const bytes of [
      ...garbage,
      ...headers,
      ...bodies.map(request),
      Buffer.concat([request('a\0\0'), everyByte]),
    ]) {
      const socket = await client();
      socket.write(bytes);
      assert.equal(await firstByte(socket), 'D', JSON.stringify(bytes.toString('latin1')));
    }
    await nothingLeaks();
  });

  it('survives clients that close their connection at any point', async () => {
    for (let i = 0; i < 200; i++) {
      const socket = await client();
      if (i % 2 === 0) socket.write(request('isthmus\0CNI_COMMAND=DEL\0\0{}').subarray(0, (i * 7) % 70));
      socket.destroy();
    }
    await nothingLeaks();
  });

  it("closes another user's connection without an answer", async () => {
    execFileSync('chmod', ['711', join(site.runDir, '..'), site.runDir]);
    execFileSync('chmod', ['666', path()]);
    try {
      const words = [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        '--',
        process.execPath,
        '-e',
        STRANGER,
        path(),
      ];
      const { stdout, stderr, status } = spawnSync('setpriv', words, { encoding: 'utf8', timeout: 20_000 });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, 'connected; closed after 0 bytes\n', stderr);
    } finally {
      execFileSync('chmod', ['600', path()]);
      execFileSync('chmod', ['700', site.runDir, join(site.runDir, '..')]);
    }
    await nothingLeaks();
  });

  it('serves launchers while a hundred other connections stay open', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, client));
    works();
    for (const socket of sockets) socket.destroy();
    await nothingLeaks();
  });

  it('serves a client that sends its request byte by byte', async () => {
    const bytes = await recorded('STATUS', { ...site.config, cniVersion: '1.1.0', bridge: 'x'.repeat(2000) });
    assert.equal(await saidTo(startClient({ ...asFile(bytes), how: 'slow' })), 'C');
    await nothingLeaks();
  });

  /** The request in a file, and where to send it from. */
  function asFile(bytes: Buffer): Pick<PeerOptions, 'socket' | 'file' | 'prefix'> {
    const file = join(files.path, 'request');
    writeFileSync(file, bytes);
    return { socket: path(), file, prefix: ['nsenter', `--net=${site.host.ns.path}`, '--'] };
  }

  /** The request that a launcher would send, without a namespace: no launcher runs here. */
  async function recorded(command: CniCommand, config: unknown): Promise<Buffer> {
    using dir = makeTempDir();
    const server = createServer();
    server.listen(join(dir.path, 'cni.sock'));
    await once(server, 'listening');
    const connected: Promise<Socket[]> = once(server, 'connection');
    const running = site.begin(command, { config, env: { ISTHMUS_RUN_DIR: dir.path } });
    const [socket] = await connected;
    assert.ok(socket !== undefined);
    const bytes = await wholeRequest(socket);
    socket.destroy();
    server.close();
    await running.done;
    return bytes;
  }
});
