import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { allocate } from '../../src/shared/ipam/allocate.ts';
import { importDirectory, removeVoidFiles, writeFiles } from '../../src/shared/ipam/directory.ts';
import { held, release, retain } from '../../src/shared/ipam/leases.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { MemoryDisk, MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { range } from './ipam-support.ts';
import { addr, attachment, FIRST_BOOT, lease, ofKind, SECOND_BOOT } from './store-behaviour.ts';

const BOOTED = { bootId: 'boot-1', bootedAt: Date.parse('2026-01-02') };
const BEFORE_BOOT = new Date('2026-01-01');
/** Long ago, but after the boot: such a file is stable. */
const SETTLED = new Date('2026-01-03');

describe('ipam: host-local directories', () => {
  let directory: TempDir;
  let scope: string;
  let store: MemoryStore;
  let changes = 0;
  beforeEach(() => {
    directory = makeTempDir();
    scope = join(directory.path, 'web');
    mkdirSync(scope);
    store = new MemoryStore(FIRST_BOOT);
  });
  afterEach(() => directory[Symbol.dispose]());

  const write = (name: string, text: string, time = SETTLED): void => {
    writeFileSync(join(scope, name), text);
    utimesSync(join(scope, name), time, time);
    utimesSync(scope, SETTLED, new Date(SETTLED.getTime() + ++changes * 1000));
  };
  const read = (): string[] => {
    importDirectory(store, scope, BOOTED);
    return store.leases
      .list(scope)
      .map(({ address, owner, source }) => `${formatAddr(address)} ${owner.containerId} ${owner.ifName} ${source}`);
  };
  const add = (id: string): string => {
    const request = { scope, sets: [[range('10.0.0.0/29')]], requested: [], owner: attachment(id) };
    return formatAddr(allocate(store, request)[0]?.address.addr ?? addr('::'));
  };

  it('are read as leases of their owners, also in the old format and for IPv6', () => {
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2');
    write('10.0.0.4', ' c3\neth1\n');
    write('fd00::2', 'c1\r\neth0');
    write('last_reserved_ip.0', '10.0.0.3');
    write('lock', '');
    assert.deepEqual(read(), [
      '10.0.0.2 c1 eth0 file',
      '10.0.0.3 c2  file',
      '10.0.0.4 c3 eth1 file',
      'fd00::2 c1 eth0 file',
    ]);
    assert.deepEqual(
      store.leases.list(scope).map(({ owner }) => `${owner.camp} ${owner.network}`),
      Array(4).fill('cni web'),
    );
    assert.equal(add('c4'), '10.0.0.5');
  });

  it('reject an ADD of an owner that has a file, in either format', () => {
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2');
    read();
    assert.throws(() => add('c1'), ofKind('conflict', /10\.0\.0\.2/));
    assert.throws(() => add('c2'), ofKind('conflict', /10\.0\.0\.3/));
  });

  it('may be missing: then there are no leases and nothing is written', () => {
    rmSync(scope, { recursive: true });
    store.transaction = () => assert.fail('a transaction');
    assert.deepEqual(read(), []);
  });

  for (const [what, name] of [
    ['with a NUL character', 'a\0b'],
    ['longer than a name can be', 'a'.repeat(5000)],
  ] as const)
    it(`cannot exist under a name ${what}: DEL, which accepts it, finds nothing`, () => {
      importDirectory(store, join(scope, name), BOOTED);
      assert.deepEqual(removeVoidFiles(join(scope, name), BOOTED), []);
    });

  it('are read once while they do not change', () => {
    write('10.0.0.2', 'c1\r\neth0');
    read();
    const { transaction } = store;
    store.transaction = () => assert.fail('read again');
    assert.equal(read().length, 1);
    store.transaction = transaction;
    write('10.0.0.3', 'c2\r\neth0');
    assert.equal(read().length, 2);
  });

  it('are read again if they change within a tick of the clock', async () => {
    writeFileSync(join(scope, '10.0.0.2'), 'c1\r\neth0');
    read();
    const { mtime } = statSync(scope);
    writeFileSync(join(scope, '10.0.0.3'), 'c2\r\neth0');
    utimesSync(scope, mtime, mtime);
    await setTimeout(25);
    assert.equal(read().length, 2);
  });

  const voids: readonly [what: string, text: string, time?: Date][] = [
    ['empty', ''],
    ['full of zero bytes', '\0'.repeat(16)],
    ['of two lines too many', 'c1\r\neth0\r\nx\r\ny'],
    ['too long', `c1\r\n${' '.repeat(2000)}`],
    ['without a container id', '\r\neth0'],
    ['with an impossible interface', 'c1\r\nan/interface'],
    ['older than the boot', 'c1\r\neth0', BEFORE_BOOT],
  ];
  for (const [what, text, time] of voids)
    it(`ignore and garbage-collect invalid files: ${what}`, () => {
      write('10.0.0.2', text, time);
      write('10.0.0.3', 'c2\r\neth0');
      assert.deepEqual(read(), ['10.0.0.3 c2 eth0 file']);
      assert.equal(add('c9'), '10.0.0.2');
      assert.deepEqual(removeVoidFiles(scope, BOOTED), ['10.0.0.2']);
      assert.deepEqual(readdirSync(scope), ['10.0.0.3']);
    });

  it('do not exhaust a pool with empty files', () => {
    for (let i = 2; i < 7; i++) write(`10.0.0.${i}`, '');
    read();
    assert.deepEqual(['a', 'b', 'c', 'd', 'e'].map(add).length, 5);
  });

  it('wait for a new file that is still empty', () => {
    writeFileSync(join(scope, '10.0.0.2'), '');
    utimesSync(scope, SETTLED, SETTLED);
    assert.deepEqual(read(), []);
    assert.deepEqual(removeVoidFiles(scope, BOOTED), []);
    writeFileSync(join(scope, '10.0.0.2'), 'c1\r\neth0');
    utimesSync(scope, SETTLED, SETTLED);
    assert.deepEqual(read(), ['10.0.0.2 c1 eth0 file']);
  });

  it('free the leases of deleted files and follow rewritten ones', () => {
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2\r\neth0');
    read();
    unlinkSync(join(scope, '10.0.0.2'));
    write('10.0.0.3', 'c3\r\neth0');
    assert.deepEqual(read(), ['10.0.0.3 c3 eth0 file']);
    rmSync(scope, { recursive: true });
    assert.deepEqual(read(), []);
  });

  it('do not change leases of the store', () => {
    store.leases.take({ ...lease('10.0.0.2', 'c1'), scope });
    write('10.0.0.2', 'c2\r\neth0');
    assert.deepEqual(read(), ['10.0.0.2 c1 eth0 store']);
    rmSync(scope, { recursive: true });
    assert.deepEqual(read(), ['10.0.0.2 c1 eth0 store']);
  });

  it('delete the file with its lease, without another read', () => {
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2');
    store.leases.take({ ...lease('10.0.0.4', 'c3'), scope });
    read();
    assert.equal(held(store, scope, attachment('c2')).length, 1);
    assert.equal(release(store, scope, attachment('c1')).length, 1);
    assert.equal(release(store, scope, attachment('c2')).length, 1);
    assert.deepEqual(readdirSync(scope), []);
    store.transaction = () => assert.fail('read again');
    assert.deepEqual(read(), ['10.0.0.4 c3 eth0 store']);
  });

  it('tolerate that the file is gone already, and detect other changes', () => {
    write('10.0.0.2', 'c1\r\neth0');
    read();
    unlinkSync(join(scope, '10.0.0.2'));
    write('10.0.0.3', 'c2\r\neth0');
    assert.equal(release(store, scope, attachment('c1')).length, 1);
    assert.deepEqual(read(), ['10.0.0.3 c2 eth0 file']);
  });

  it('delete files that garbage collection does not keep; old ones by their container', () => {
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2');
    write('10.0.0.4', 'c3');
    read();
    const lost = retain(store, scope, 'cni', [attachment('c2')]);
    assert.deepEqual(
      lost.map(({ owner }) => owner.containerId),
      ['c1', 'c3'],
    );
    assert.deepEqual(readdirSync(scope), ['10.0.0.3']);
  });

  it('are read again after a reboot; older files are invalid', () => {
    const disk = new MemoryDisk();
    store = new MemoryStore(FIRST_BOOT, disk);
    write('10.0.0.2', 'c1\r\neth0');
    write('10.0.0.3', 'c2\r\neth0', new Date('2026-03-01'));
    assert.equal(read().length, 2);
    const later = new MemoryStore(SECOND_BOOT, disk);
    importDirectory(later, scope, { bootId: 'boot-2', bootedAt: Date.parse('2026-02-01') });
    assert.deepEqual(
      later.leases.list(scope).map(({ owner }) => owner.containerId),
      ['c2'],
    );
  });

  it('may contain other objects whose name is an address', () => {
    mkdirSync(join(scope, '10.0.0.2'));
    symlinkSync('/etc/hostname', join(scope, '10.0.0.3'));
    assert.deepEqual(read(), []);
    assert.deepEqual(removeVoidFiles(scope, BOOTED), []);
  });

  it('leave alone what is no regular file, and do not wait for it', () => {
    symlinkSync(join(directory.path, 'elsewhere'), join(scope, '10.0.0.2'));
    mkdirSync(join(scope, '10.0.0.3'));
    execFileSync('mkfifo', [join(scope, '10.0.0.4')]);
    writeFileSync(join(scope, '10.0.0.5'), '');
    truncateSync(join(scope, '10.0.0.5'), 3 * 2 ** 30);
    const names = readdirSync(scope);
    for (const name of names) {
      const held = lease(name, 'c1', scope);
      if (name !== '10.0.0.5')
        assert.throws(
          () => writeFiles(store, scope, [held], BOOTED),
          ofKind('conflict', /web\/10\.0\.0\..: it is not a regular file/),
        );
      store.leases.take(held);
    }
    assert.equal(release(store, scope, attachment('c1')).length, names.length);
    assert.deepEqual(readdirSync(scope), names);
    assert.deepEqual(readdirSync(directory.path), ['web']);
  });

  it('are written over files that count for nothing, and not over those of another owner', () => {
    write('10.0.0.2', 'c1\r\neth0', BEFORE_BOOT);
    write('10.0.0.3', '\0\0\0\0');
    write('10.0.0.4', '');
    write('10.0.0.5', 'x'.repeat(5000));
    const addresses = readdirSync(scope);
    writeFiles(
      store,
      scope,
      addresses.map((address) => lease(address, 'c2', scope)),
      BOOTED,
    );
    for (const name of addresses) assert.equal(readFileSync(join(scope, name), 'utf8'), 'c2\r\neth0', name);
    assert.throws(
      () => writeFiles(store, scope, [lease('10.0.0.2', 'c3', scope)], BOOTED),
      ofKind('conflict', /10\.0\.0\.2: host-local has given it to "c2" meanwhile/),
    );
  });

  it('are named in the error if they cannot be read', () => {
    rmSync(scope, { recursive: true });
    writeFileSync(scope, '');
    assert.throws(() => importDirectory(store, scope, BOOTED), ofKind('io', /web: addresses .*ENOTDIR/));
  });
});
