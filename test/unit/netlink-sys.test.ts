import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { RTM_GETLINK } from '../../src/shared/netlink/constants.ts';
import { link } from '../../src/shared/netlink/link.ts';
import { lockRange } from '../../src/shared/netlink/range-lock.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { loadLibrary, socket, strerror } from '../../src/shared/netlink/sys.ts';

describe('byte-range locks', () => {
  let dir: string;
  let a: number;
  let b: number;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'isth-lock-'));
    a = openSync(join(dir, 'locks'), 'a+');
    b = openSync(join(dir, 'locks'), 'a+');
  });
  afterEach(() => {
    for (const fd of [a, b]) closeSync(fd);
    rmSync(dir, { recursive: true });
  });

  it('have one owner at a time, byte by byte', () => {
    const far = 2n ** 62n;
    assert.ok(lockRange(a, 7n, true));
    assert.ok(lockRange(a, 7n, true));
    assert.equal(lockRange(b, 7n, true), false);
    assert.equal(lockRange(b, 7n, false), false);
    assert.ok(lockRange(b, 8n, true));
    assert.ok(lockRange(b, 6n, true));
    assert.ok(lockRange(b, far, true));
    assert.equal(lockRange(a, far, true), false);
    closeSync(a);
    assert.ok(lockRange(b, 7n, true));
    a = openSync(join(dir, 'locks'), 'a+');
  });

  it('can be shared by shared requests only', () => {
    assert.ok(lockRange(a, 1n, false));
    assert.ok(lockRange(b, 1n, false));
    assert.equal(lockRange(a, 1n, true), false);
    closeSync(b);
    assert.ok(lockRange(a, 1n, true));
    b = openSync(join(dir, 'locks'), 'a+');
  });

  it('end when their holder is killed', () => {
    const script = `
      const { lockRange } = await import(${JSON.stringify(new URL('../../src/shared/netlink/range-lock.ts', import.meta.url).href)});
      const fd = (await import('node:fs')).openSync(${JSON.stringify(join(dir, 'locks'))}, 'a+');
      console.log(lockRange(fd, 3n, true));
      process.kill(process.pid, 'SIGKILL');`;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const { stdout, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(stdout, 'true\n');
    assert.equal(signal, 'SIGKILL');
    assert.ok(lockRange(a, 3n, true));
  });

  it('are rejected for a closed file', () => {
    assert.throws(() => lockRange(-1, 0n, true), /fcntl system call: it failed \(Bad file descriptor\)/);
  });
});

describe('C library calls', () => {
  it("fail with the kernel's message", () => {
    assert.throws(
      () => socket(99, 1, 0),
      (error: unknown) => error instanceof NetError && error.errno === 97 && error.reason === strerror(97),
    );
    assert.equal(strerror(2), 'No such file or directory');
  });

  it('report which library or function is missing', () => {
    const signature = { return: 'i32', arguments: [] } as const;
    assert.throws(() => loadLibrary('libnothing.so.9', { f: signature }), /load libnothing\.so\.9: /);
    assert.throws(() => loadLibrary(null, { no_such_function: signature }), /no_such_function/);
  });
});

describe('netlink socket', () => {
  it('answers every request of a send, in order, even after failures', () => {
    using route = new NetlinkSocket(0);
    const get = (name: string) => ({
      type: RTM_GETLINK,
      payload: link.encode({ header: {}, attrs: { name } }),
      reply: true,
    });
    const names = Array.from({ length: 450 }, (_, i) => (i % 3 === 0 ? 'no-such-link' : 'lo'));
    const replies = route.exchange(names.map(get));
    assert.deepEqual(
      replies.map(({ errno, messages }) => [errno, messages.length]),
      names.map((name) => (name === 'lo' ? [0, 1] : [19, 0])),
    );
  });

  it('can be closed twice, and fails when it is used afterwards', () => {
    const route = new NetlinkSocket(0);
    route[Symbol.dispose]();
    route[Symbol.dispose]();
    assert.throws(() => route.dump({ type: RTM_GETLINK, payload: link.encode({ header: {}, attrs: {} }) }), NetError);
  });
});
