import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, copyFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { makeTempDir } from '../support/temp.ts';

const LISTEN = `
  const server = require('node:net').createServer();
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

describe('finding the processes that hold ports', () => {
  let host: LinuxHost;
  const children: ChildProcess[] = [];
  const servers: Server[] = [];

  before(() => {
    host = openLinuxHost({});
  });
  after(() => host[Symbol.dispose]());
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const server of servers.splice(0)) server.close();
  });

  const listenersOn = (...ports: readonly number[]) =>
    host.observe(host.own, { listeners: ports.map((port) => ({ protocol: 'tcp', port })) }).listeners;
  const holdersOf = (inodes: readonly number[]) => host.observe(host.own, { holders: inodes }).holders;

  /** The port that a program listens on, called with these words behind its own. */
  const start = async (program: string, argv0: string, ...words: readonly string[]): Promise<number> => {
    const args = ['-e', LISTEN, '--', ...words];
    const child = spawn(program, args, { argv0, stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    for await (const text of child.stdout) return Number(String(text));
    throw new Error(`${program} did not start`);
  };

  it('finds them for all ports together', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => listen(servers)));
    const found = listenersOn(...ports);
    assert.deepEqual(
      found.map(({ port }) => port),
      ports,
    );
    const holders = holdersOf(found.map(({ inode }) => inode));
    assert.deepEqual(
      found.map(({ inode }) => holders.get(inode)?.process.replace(/^.* \(/, '(')),
      ports.map(() => `(pid ${process.pid})`),
    );
  });

  it('finds the taken ports of a range, and only the processes of one program', async () => {
    const ports = (await Promise.all(Array.from({ length: 5 }, () => listen(servers)))).sort((a, b) => a - b);
    const [first = 0, last = 0] = [ports[0], ports.at(-1)];
    const range = { protocol: 'tcp', port: first, count: last - first + 1, address: '127.0.0.1' } as const;
    const { listeners } = host.observe(host.own, { listeners: [range] });
    const found = listeners.filter(({ port }) => ports.includes(port));
    assert.deepEqual(
      found.map(({ port }) => port).sort((a, b) => a - b),
      ports,
    );
    assert.ok(listeners.every(({ port, count }) => port >= first && port <= last && count === undefined));
    const inodes = found.map(({ inode }) => inode);
    assert.equal(host.observe(host.own, { holders: inodes, program: 'conmon' }).holders.size, 0);
    assert.equal(host.observe(host.own, { holders: inodes, program: basename(process.execPath) }).holders.size, 5);
  });

  it('names them by executable and arguments, not by their own title', async () => {
    using temp = makeTempDir();
    const conmon = join(temp.path, 'conmon');
    copyFileSync(process.execPath, conmon, constants.COPYFILE_FICLONE);
    const ports = [await start(conmon, 'x', '-c', 'abc'), await start(process.execPath, 'conmon', '-c', 'abc')];
    const found = listenersOn(...ports);
    const holders = holdersOf(found.map(({ inode }) => inode));
    const told = found.map(({ inode }) => holders.get(inode));
    assert.deepEqual(
      told.map((holder) => [holder?.program, holder?.words[0], holder?.words.slice(-2), holder?.isOwnUser]),
      [
        ['conmon', 'x', ['-c', 'abc'], true],
        ['node', 'conmon', ['-c', 'abc'], true],
      ],
    );
  });

  it('finds none for a socket that no process has', () => {
    assert.deepEqual([...holdersOf([0])], []);
  });
});

async function listen(servers: Server[]): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
