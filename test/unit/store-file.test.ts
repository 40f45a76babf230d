import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hostId, sandboxId } from '../../src/shared/model/attachment.ts';
import type { Endpoint } from '../../src/shared/model/endpoint.ts';
import { dumpState } from '../../src/shared/store/dump.ts';
import { inspectState } from '../../src/shared/store/inspect.ts';
import { MIGRATIONS, SCHEMA_VERSION } from '../../src/shared/store/migrations.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { lookAtState } from '../../src/shared/store/sqlite-look.ts';
import { migrate } from '../../src/shared/store/sqlite-repair.ts';
import { ensureStateDir } from '../../src/shared/store/state-dir.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { startChild } from '../support/children.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import {
  attachment,
  dockerNetwork,
  endpoint,
  FIRST_BOOT,
  lease,
  network,
  ofKind,
  pool,
  SECOND_BOOT,
} from './store-behaviour.ts';

/** A row of schemas 1 to 4 for an endpoint that was rebuilt from its interface. */
const STEPPED_ENDPOINT = {
  attachment: attachment('c1'),
  role: 'interface',
  progress: 'ready',
  owner: { pid: 7, startTime: '70' },
  sandbox: { path: '', id: '' },
  hostIf: 'vethc1',
  plan: { ops: [], undo: [{ op: 'link.delete', ns: 'host', name: 'vethc1', kind: 'veth' }] },
  scope: 'pool',
};
const REBUILT = {
  kind: 'recalled',
  role: 'interface',
  attachment: attachment('c1'),
  progress: 'ready',
  sandbox: { path: '', id: '' },
  hostIf: 'vethc1',
  scope: 'pool',
};
const STEPPED_NETWORK = { name: 'web', driver: 'bridge', device: 'isth0', undo: [], bootId: 'boot-1' };

describe('store: directory and file', () => {
  let directory: TempDir;
  let stateDir: string;
  let file: string;
  const open = (identity = FIRST_BOOT): LocalStore => openSqliteStore({ stateDir, identity });
  const names = (): string[] => readdirSync(stateDir).sort();
  const corrupt = (): string[] => names().filter((name) => /corrupt-\d+$/.test(name));
  beforeEach(() => {
    directory = makeTempDir();
    stateDir = join(directory.path, 'a', 'state');
    file = join(stateDir, 'state.db');
  });
  afterEach(() => directory[Symbol.dispose]());

  /** A closed store with rows of every kind, its log checkpointed into the file. */
  function fill(): void {
    using store = open();
    store.networks.put(network('web'));
    store.transaction(() => {
      for (let i = 0; i < 200; i++) {
        store.endpoints.put(endpoint(`c${i}`));
        store.leases.take(lease(`10.0.${i}.2`, `c${i}`));
      }
    });
    store[Symbol.dispose]();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
  }

  describe('directory', () => {
    it('is created for its owner only, as is the file', () => {
      open()[Symbol.dispose]();
      assert.equal(statSync(stateDir).mode & 0o777, 0o700);
      for (const name of names()) assert.equal(statSync(join(stateDir, name)).mode & 0o077, 0, name);
    });

    it('is closed to others if it was open to them', () => {
      mkdirSync(stateDir, { recursive: true });
      chmodSync(stateDir, 0o755);
      open()[Symbol.dispose]();
      assert.equal(statSync(stateDir).mode & 0o777, 0o700);
    });

    it('may have any name', () => {
      stateDir = join(directory.path, 'a?b#c%41 d');
      using store = open();
      store.notes.put('a', 'b');
      assert.ok(names().includes('state.db'));
    });

    const refusals: readonly [what: string, make: () => void, message: RegExp][] = [
      ['a symbolic link', () => symlinkSync(directory.path, stateDir), /is a symbolic link/],
      ['a file', () => writeFileSync(stateDir, ''), /is not a directory/],
      [
        "somebody else's",
        () => {
          mkdirSync(stateDir);
          chownSync(stateDir, 12345, 0);
        },
        /belongs to user 12345/,
      ],
    ];
    for (const [what, make, message] of refusals)
      it(`is rejected if it is ${what}`, () => {
        mkdirSync(join(directory.path, 'a'));
        make();
        assert.throws(() => open(), ofKind('state', message));
      });

    for (const name of ['state.db', 'state.db-wal', 'state.db-shm', 'changes', 'locks'])
      it(`is rejected with the ${name} of somebody else, who could write to it, and left as it is`, () => {
        open()[Symbol.dispose]();
        const path = join(stateDir, name);
        const lost = [
          [() => chownSync(path, 12345, 0), /belongs to user 12345, not to 0/],
          [() => symlinkSync('/etc/passwd', path), /is a symbolic link/],
        ] as const;
        for (const [make, message] of lost) {
          rmSync(path, { force: true });
          writeFileSync(path, 'theirs', { mode: 0o666 });
          if (message.source.includes('link')) rmSync(path);
          make();
          chmodSync(stateDir, 0o777);
          const before = [lstatSync(path).uid, lstatSync(path).mode, lstatSync(path).size];
          assert.throws(() => ensureStateDir(stateDir), ofKind('state', message));
          assert.throws(() => open(), ofKind('state', message));
          assert.deepEqual([lstatSync(path).uid, lstatSync(path).mode, lstatSync(path).size], before);
          assert.deepEqual(corrupt(), []);
        }
      });

    it('takes the permissions of others from its files', () => {
      open()[Symbol.dispose]();
      for (const name of names()) chmodSync(join(stateDir, name), 0o666);
      open()[Symbol.dispose]();
      assert.deepEqual(
        names().map((name) => statSync(join(stateDir, name)).mode & 0o077),
        names().map(() => 0),
      );
    });

    it('is named in the error if it cannot be created', () => {
      writeFileSync(join(directory.path, 'a'), '');
      assert.throws(() => open(), ofKind('state', /directory .*\/a\/state: it cannot be made/));
    });
  });

  describe('broken file', () => {
    const damages: readonly [what: string, damage: () => void][] = [
      ['empty', () => truncateSync(file, 0)],
      ['cut off', () => truncateSync(file, 4096 * 3)],
      ['cut off within a page', () => truncateSync(file, 5000)],
      ['no database', () => writeFileSync(file, 'x'.repeat(20_000))],
      [
        'of another program',
        () => {
          rmSync(file);
          const db = new DatabaseSync(file);
          db.exec('CREATE TABLE t (a)');
          db.close();
        },
      ],
    ];
    /** Damages every table and index. The header and the schema stay valid. */
    const spoil = (): void => {
      const db = new DatabaseSync(file);
      const roots = db.prepare('SELECT rootpage FROM sqlite_schema').all();
      db.close();
      const bytes = readFileSync(file);
      for (const { rootpage } of roots) bytes.fill(0xa5, 4096 * (Number(rootpage) - 1), 4096 * Number(rootpage));
      writeFileSync(file, bytes);
    };

    for (const [what, damage] of damages)
      it(`is set aside at opening if it is ${what}`, () => {
        fill();
        damage();
        using store = open();
        assert.deepEqual(store.networks.list(), []);
        store.leases.take(lease('10.0.0.2'));
        assert.equal(corrupt().length, 1);
      });

    it('is set aside if the damage is found later, and the next call has a new one', () => {
      fill();
      spoil();
      using store = open();
      assert.throws(
        () => store.endpoints.list(),
        ofKind('state-reset', /was broken and is now .*state\.db\.corrupt-\d+/),
      );
      assert.deepEqual(store.endpoints.list(), []);
      store.leases.take(lease('10.0.0.2'));
      assert.equal(corrupt().length, 1);
      using again = open();
      assert.equal(again.leases.list('pool').length, 1);
    });

    it('is set aside if a transaction finds the damage', () => {
      fill();
      spoil();
      using store = open();
      const work = (): void =>
        store.transaction(() => {
          store.transaction(() => store.leases.take(lease('10.9.0.2')));
        });
      assert.throws(work, ofKind('state-reset', /was broken/));
      work();
      assert.equal(store.leases.list('pool').length, 1);
    });

    it('is set aside once, whichever store finds the damage', () => {
      fill();
      spoil();
      using one = open();
      using two = open();
      assert.throws(() => one.endpoints.list(), ofKind('state-reset'));
      one.networks.put(network('fresh'));
      assert.throws(() => two.endpoints.list(), ofKind('state-reset', /has been replaced/));
      assert.equal(corrupt().length, 1);
      assert.equal(two.networks.list().length, 1);
    });

    it('is kept for the three latest times, with its log', () => {
      for (let i = 0; i < 5; i++) {
        open()[Symbol.dispose]();
        writeFileSync(file, `broken ${i} ${'x'.repeat(10_000)}`);
      }
      open()[Symbol.dispose]();
      const kept = corrupt();
      assert.equal(kept.length, 3);
      assert.match(readFileSync(join(stateDir, kept.at(-1) ?? ''), 'utf8'), /^broken 4/);
      const parts = names().filter((name) => name.includes('corrupt'));
      assert.ok(
        parts.every((name) => kept.some((base) => name.startsWith(base))),
        parts.join(' '),
      );
    });
  });

  describe('missing file', () => {
    it('is created again, and an old log beside it is not replayed into it', () => {
      using store = open();
      store.networks.put(network('old'));
      copyFileSync(`${file}-wal`, join(directory.path, 'wal'));
      rmSync(file);
      using later = open();
      assert.deepEqual(later.networks.list(), []);
    });

    it('is detected by an open store if another file has replaced it', () => {
      using store = open();
      store.networks.put(network('old'));
      for (const name of names()) rmSync(join(stateDir, name));
      using other = open();
      other.leases.take(lease('10.0.0.2', 'c1'));
      assert.throws(() => store.leases.take(lease('10.0.0.2', 'c2')), ofKind('conflict'));
      store.networks.put(network('new'));
      assert.deepEqual(
        other.networks.list().map(({ name }) => name),
        ['new'],
      );
    });
  });

  describe('broken row', () => {
    const spec = { options: { driver: 'null' }, ranges: [[{ subnet: '10.88.0.0' }]], routes: [] };
    const bodies = [
      ...['', '{', 'null', '[]', '{}', '"x"', '{"attachment":{},"plan":{"ops":[],"undo":[]}}'],
      JSON.stringify({ ...network('web'), spec }),
    ];
    const breakRow = (table: string, body: string, where: string): void => {
      const db = new DatabaseSync(file);
      assert.equal(db.prepare(`UPDATE ${table} SET body = ? WHERE ${where}`).run(body).changes, 1);
      db.close();
    };

    it('is in no list if its body names another endpoint or network', () => {
      using store = open();
      const row: Endpoint = {
        ...{ kind: 'lone', role: 'interface', progress: 'ready', attachment: attachment('c2'), aliases: [] },
        sandbox: { path: '/run/netns/pod', id: sandboxId('boot-1', '1') },
        inside: { addresses: [], routes: [], up: true, detectDuplicates: false },
        link: {
          ifName: 'eth0',
          link: { kind: 'userspace', device: '0000:00:01.0' },
          mac: '02:00:00:00:00:01',
          alias: '',
        },
      };
      const ids = (): string[][] => {
        const { endpoints } = store;
        const found = [endpoints.list(), endpoints.withDevice(), endpoints.withMac('02:00:00:00:00:01')];
        const lists = [...found, endpoints.ofContainer(attachment('c2'))];
        return lists.map((list) => list.map((one) => one.attachment.containerId));
      };
      store.endpoints.put(row);
      assert.deepEqual(ids(), [['c2'], ['c2'], ['c2'], ['c2']]);
      breakRow('endpoints', JSON.stringify({ ...row, attachment: attachment('c1') }), "container = 'c2'");
      assert.deepEqual(ids(), [[], [], [], []]);
      store.networks.put(network('web'));
      breakRow('networks', JSON.stringify(network('db')), "name = 'web'");
      assert.deepEqual(store.networks.list('isth0'), []);
    });

    for (const body of bodies)
      it(`affects only its own endpoint, network, Docker network or pool: ${JSON.stringify(body)}`, () => {
        using store = open();
        for (const id of ['c1', 'c2']) store.endpoints.put(endpoint(id));
        for (const name of ['web', 'db']) store.networks.put(network(name));
        for (const id of ['aa', 'bb']) store.dockerNetworks.put(dockerNetwork(id));
        for (const id of ['p1', 'p2']) store.pools.put(pool(id));
        breakRow('endpoints', body, "container = 'c1'");
        breakRow('networks', body, "name = 'web'");
        breakRow('docker_networks', body, "id = 'aa'");
        breakRow('pools', body, "id = 'p1'");

        assert.deepEqual([store.endpoints.list(), store.endpoints.list('web')], [[endpoint('c2')], [endpoint('c2')]]);
        assert.equal(store.endpoints.get(attachment('c1'), 'interface'), undefined);
        const key = { attachment: attachment('c1'), role: 'interface' } as const;
        assert.deepEqual([store.endpoints.broken(), store.endpoints.broken('web')], [[key], [key]]);
        assert.deepEqual(store.endpoints.broken('other'), []);
        assert.deepEqual(store.endpoints.ofContainer(attachment('c1')), []);
        assert.deepEqual([store.endpoints.withDevice(), store.networks.list('isth0')], [[], [network('db')]]);
        assert.deepEqual([store.networks.list(), store.networks.get('web')], [[network('db')], undefined]);
        assert.deepEqual(store.networks.broken(), ['web']);
        assert.deepEqual(
          [store.dockerNetworks.list(), store.dockerNetworks.get('aa')],
          [[dockerNetwork('bb')], undefined],
        );
        assert.deepEqual([store.pools.list(), store.pools.get('p1')], [[pool('p2')], undefined]);
        assert.deepEqual(store.pools.list('pool'), [pool('p2')]);

        store.endpoints.put(endpoint('c1'));
        store.networks.put(network('web'));
        assert.deepEqual([store.endpoints.broken(), store.networks.broken()], [[], []]);
        assert.deepEqual(store.endpoints.get(attachment('c1'), 'interface'), endpoint('c1'));
        breakRow('endpoints', body, "container = 'c1'");
        store.endpoints.delete(attachment('c1'), 'interface');
        store.endpoints.delete(attachment('c2'), 'interface');
        assert.equal(store.endpoints.any('web'), false);
      });

    it('does not prevent the migration of an earlier schema', () => {
      mkdirSync(stateDir, { recursive: true });
      const db = new DatabaseSync(file);
      db.exec('PRAGMA journal_mode = WAL');
      migrate(db, 3);
      const insert = db.prepare("INSERT INTO endpoints VALUES (5, 'web', 'cni', ?, 'eth0', 'interface', NULL, ?)");
      db.exec("INSERT INTO boots (id, host, boot) VALUES (5, 'root', 'boot-1')");
      for (const [i, body] of bodies.entries()) insert.run(`b${i}`, body);
      insert.run('c1', JSON.stringify({ ...endpoint('c1'), owner: { pid: 7, startTime: '70' } }));
      db.close();
      using store = open();
      assert.deepEqual(store.endpoints.list(), [endpoint('c1')]);
      assert.equal(store.endpoints.broken().length, bodies.length);
    });
  });

  it('a look waits for no writer: state.db is a FIFO, also behind a link', () => {
    mkdirSync(stateDir, { recursive: true });
    execFileSync('mkfifo', [join(directory.path, 'fifo')]);
    const looks = (): void => {
      assert.equal(inspectState(stateDir, FIRST_BOOT).broken, 'it is not a file');
      assert.throws(() => lookAtState(stateDir, FIRST_BOOT), /it is not a file/);
      assert.throws(() => dumpState(stateDir), /it is not a file/);
    };
    symlinkSync(join(directory.path, 'fifo'), file);
    looks();
    renameSync(join(directory.path, 'fifo'), file);
    looks();
  });

  describe('failed re-opening', () => {
    const outages: readonly [what: string, outage: () => void, end: () => void, message: RegExp][] = [
      [
        'a link stands in place of the directory',
        () => symlinkSync(directory.path, stateDir),
        () => rmSync(stateDir),
        /is a symbolic link/,
      ],
      [
        'a file stands in place of the directory',
        () => writeFileSync(stateDir, ''),
        () => rmSync(stateDir),
        /is not a directory/,
      ],
      [
        'state.db is a directory',
        () => mkdirSync(file, { recursive: true }),
        () => rmSync(stateDir, { recursive: true }),
        /is not a file/,
      ],
    ];
    const uses: readonly [what: string, use: (store: LocalStore) => void][] = [
      ['refresh', (store) => store.refresh()],
      ['a read', (store) => void store.networks.list()],
      ['a transaction', (store) => store.transaction(() => {})],
    ];
    for (const [what, outage, end, message] of outages)
      for (const [first, use] of uses)
        it(`affects only the calls made meanwhile: ${what}, then ${first}`, () => {
          using store = open();
          store.networks.put(network('web'));
          renameSync(stateDir, `${stateDir}.away`);
          outage();
          for (let i = 0; i < 2; i++) {
            assert.throws(() => store.refresh(), ofKind('state', message));
            assert.throws(() => use(store), ofKind('state', message));
          }
          end();
          renameSync(`${stateDir}.away`, stateDir);
          use(store);
          assert.deepEqual(store.networks.list(), [network('web')]);
          store.networks.put(network('db'));
          using other = open();
          assert.equal(other.networks.list().length, 2);
        });

    it('affects only the calls made meanwhile: the process is out of descriptors', () => {
      const script = join(import.meta.dirname, '../support/store-child.ts');
      const shell = `ulimit -n 64 && exec '${process.execPath}' --no-warnings '${script}' descriptors '${stateDir}'`;
      const text = execFileSync('sh', ['-c', shell], { encoding: 'utf8' });
      assert.doesNotMatch(text, /^error (?!state )/m);
      assert.match(text, /works after [2-9]\ndescriptors kept\n$/);
    });

    it('does not reopen a closed store', () => {
      const store = open();
      store[Symbol.dispose]();
      assert.throws(() => store.networks.list(), /has been closed/);
      assert.throws(() => store.notes.put('a', 'b'), /has been closed/);
    });
  });

  describe('schema', () => {
    it('of a later version is rejected and left unchanged', () => {
      fill();
      const db = new DatabaseSync(file);
      db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
      db.close();
      assert.throws(() => open(), ofKind('newer-schema', new RegExp(`schema ${SCHEMA_VERSION + 1}`)));
      assert.deepEqual(corrupt(), []);
    });

    /** Rows for each version, from the version that introduced them: migrations must keep them. */
    const rows: Readonly<Record<number, string>> = {
      1: `INSERT INTO boots (id, host, boot) VALUES (5, 'root', 'boot-1');
          INSERT INTO networks VALUES ('root', 'web', '${JSON.stringify(STEPPED_NETWORK)}');
          INSERT INTO endpoints VALUES (5, 'web', 'cni', 'c1', 'eth0', 'interface', 'vethc1', '${JSON.stringify(STEPPED_ENDPOINT)}');
          INSERT INTO leases VALUES (5, 'pool', '40a000002', 'cni', 'web', 'c1', 'eth0', 'store');
          INSERT INTO runs VALUES (5, 'pool', '40a000002', '40a000002', 1);
          INSERT INTO notes VALUES ('root', 'cursor', '10.0.0.2');`,
      2: `INSERT INTO ports VALUES (5, 'tcp', 8080, '', 'cni', 'web', 'c1', 'eth0'),
          (5, 'tcp', 8081, '10.0.0.1', 'cni', 'web', 'c1', 'eth0'), (5, 'tcp', 8082, 'fd00::1', 'cni', 'web', 'c1', 'eth0');`,
      3: `INSERT INTO docker_networks VALUES ('root', 'aa', '${JSON.stringify(dockerNetwork('aa'))}');
          INSERT INTO pools VALUES ('root', 'p1', 'pool', '${JSON.stringify(pool('p1'))}');`,
      4: "INSERT INTO ports VALUES (5, 'tcp', 8083, '4', '', 'cni', 'web', 'c1', 'eth0');",
      5: '',
      6: '',
      7: '',
      8: "INSERT INTO cluster_keys VALUES ('root', 'a/n1/0a000002', 'held', 'v', 0);",
      9: '',
    };
    it('has test rows for every version', () => {
      assert.deepEqual(
        Object.keys(rows).map(Number),
        MIGRATIONS.map((_, i) => i + 1),
      );
    });

    for (let version = 1; version <= SCHEMA_VERSION; version++)
      it(`of version ${version} is migrated and keeps its rows`, () => {
        mkdirSync(stateDir, { recursive: true });
        const db = new DatabaseSync(file);
        db.exec('PRAGMA journal_mode = WAL');
        for (let step = 1; step <= version; step++) {
          migrate(db, step);
          db.exec(rows[step] ?? '');
        }
        db.close();
        using store = open();
        assert.deepEqual(store.networks.list(), [network('web')]);
        assert.deepEqual(store.endpoints.list(), [REBUILT]);
        assert.deepEqual(store.leases.list('pool'), [lease('10.0.0.2')]);
        assert.equal(store.notes.get('cursor'), '10.0.0.2');
        assert.throws(() => store.leases.take(lease('10.0.0.2', 'c2')), ofKind('conflict'));
        const owner = attachment('c1');
        const tcp = (hostPort: number) => ({ protocol: 'tcp', hostPort, owner }) as const;
        const old = [
          { ...tcp(8080) },
          { ...tcp(8081), family: 4, hostIp: '10.0.0.1' },
          { ...tcp(8082), family: 6, hostIp: 'fd00::1' },
        ];
        const ports = version < 2 ? [] : version < 4 ? old : [...old, { ...tcp(8083), family: 4 }];
        assert.deepEqual(store.ports.list(), ports);
        assert.deepEqual(store.dockerNetworks.list(), version < 3 ? [] : [dockerNetwork('aa')]);
        assert.deepEqual(store.pools.list('pool'), version < 3 ? [] : [pool('p1')]);
        store.pools.put(pool('p2'));
        assert.equal(store.clusterKeys.list('').length, version < 8 ? 0 : 1);
        assert.equal(store.pools.list('pool').length, version < 3 ? 1 : 2);
        assert.equal(schemaOf(file), freshSchema());
      });

    it('is unchanged if a migration step fails', () => {
      const db = new DatabaseSync(':memory:');
      migrate(db, 0);
      db.exec('CREATE TABLE notes (a)');
      assert.throws(() => migrate(db), /notes already exists/);
      assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, 0);
      assert.equal(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n, 1);
    });
  });

  it('deletes the rows of an earlier boot with the first write, and only on its own host', () => {
    fill();
    using nested = open({ ...FIRST_BOOT, hostId: hostId('nested') });
    nested.leases.take(lease('10.0.0.2'));
    const count = (): unknown[] => {
      const db = new DatabaseSync(file);
      const tables = ['boots', 'endpoints', 'leases', 'runs', 'networks'];
      const found = tables.map((table) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
      db.close();
      return found;
    };
    assert.deepEqual(count(), [2, 200, 201, 201, 1]);
    using later = open(SECOND_BOOT);
    assert.deepEqual(later.endpoints.list(), []);
    assert.deepEqual(count(), [2, 200, 201, 201, 1]);
    later.endpoints.put(endpoint('c1'));
    assert.deepEqual(count(), [2, 1, 1, 1, 1]);
    assert.equal(nested.leases.list('pool').length, 1);
  });

  it('reports a full disk with the directory, and stays readable', async () => {
    mkdirSync(stateDir, { recursive: true });
    const script = join(import.meta.dirname, '../support/store-child.ts');
    // Its own mount namespace hides the small disk from other processes.
    const shell = `mount -t tmpfs -o size=500k none '${stateDir}' && exec '${process.execPath}' --no-warnings '${script}' fill '${stateDir}'`;
    const text = execFileSync('unshare', ['-m', 'sh', '-c', shell], { encoding: 'utf8' });
    assert.match(text, new RegExp(`^error state .*directory ${stateDir}: the disk is full.*Free some space`, 'm'));
    const [, stored, listed] = /stored (\d+) listed (\d+)/.exec(text) ?? [];
    assert.equal(stored, listed);
    assert.ok(Number(stored) > 10, text);
  });

  it('reports that another process holds the store if a transaction cannot begin in time', () => {
    fill();
    const db = new DatabaseSync(file);
    db.exec('BEGIN IMMEDIATE');
    using store = openSqliteStore({ stateDir, identity: FIRST_BOOT, waitMs: 20 });
    assert.throws(() => store.notes.put('a', 'b'), ofKind('busy', /another process holds the store/));
    assert.equal(store.networks.list().length, 1);
    db.exec('ROLLBACK');
    store.notes.put('a', 'b');
    db.close();
  });

  it('leaves its log for the next process, which saves a sync to the file each time', () => {
    for (let i = 0; i < 3; i++) {
      using store = open();
      store.notes.put(`n${i}`, 'x');
    }
    assert.ok(statSync(`${file}-wal`).size > 0);
    using store = open();
    assert.deepEqual([store.notes.get('n0'), store.notes.get('n2')], ['x', 'x']);
  });

  it('survives that a process is killed while it creates the file', async () => {
    for (let i = 0; i < 5; i++) {
      const child = startChild('store-child.ts', 'churn', stateDir);
      await child.line(/^go/);
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      child.process.kill('SIGKILL');
      await child.end;
      using store = open();
      store.notes.put('a', 'b');
    }
    assert.deepEqual(corrupt(), []);
  });
});

function schemaOf(file: string): string {
  const db = new DatabaseSync(file);
  const rows = db.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name').all();
  db.close();
  return rows.map(({ sql }) => String(sql).replace(/\s+/g, ' ')).join('\n');
}

function freshSchema(): string {
  using directory = makeTempDir();
  openSqliteStore({ stateDir: directory.path, identity: FIRST_BOOT })[Symbol.dispose]();
  assert.equal(MIGRATIONS.length, SCHEMA_VERSION);
  return schemaOf(join(directory.path, 'state.db'));
}
