import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ControlledCluster, serveCluster } from '../../cmd/cnm-shim/cluster-control.ts';
import { type ClusterCalls, clusterCalls, clusterSocket } from '../../cmd/cnm-shim/cluster-wire.ts';
import type { ClusterReport } from '../../src/shared/cluster/status.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { makeLogger } from '../../src/shared/log/log.ts';
import { assertReplaceable, listRemote, writeClusterFile } from '../../src/shared/ops/cluster.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import { makeCore, makeFakeHost } from '../support/core.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const REPORT: ClusterReport = {
  ...{ host: { id: 'id-a', name: 'a' }, isMember: true, epoch: 'e', watches: [], outbox: 0, conflicts: [] },
  members: [
    { id: 'id-a', name: 'a', underlay: ['192.0.2.1'], state: 'present' },
    { id: 'id-b', name: 'b', underlay: ['192.0.2.2', 'fd00::2'], state: 'silent' },
  ],
  networks: [{ id: 'n1', name: 'web', mode: 'shared', entries: 2, carried: 0 }],
};
const FILE = '/etc/isthmus/cluster.json';

describe('the daemon and the verbs of cluster', () => {
  let dir: TempDir;
  let calls: ClusterCalls;
  let served: Disposable | undefined;
  const left: string[] = [];
  const cluster: ControlledCluster = {
    name: 'prod',
    report: () => REPORT,
    remote: () => undefined,
    forget: async (host) => {
      if (host === 'b') return 7;
      throw fault.conflict('cluster.forget', `host ${host}`, 'it is in the cluster', 'Run cluster leave on it');
    },
    leave: async () => void left.push('left'),
    forceLeave: async () => void left.push('forced'),
  };
  const serve = async (of: ControlledCluster | NetError = cluster): Promise<void> => {
    const core = { ...makeCore(makeFakeHost()), [Symbol.dispose]: () => {} } as unknown as CallCore;
    const log = makeLogger('error', undefined, () => {});
    served = await serveCluster({ runDir: dir.path, file: FILE, cluster: of, core: () => core, log });
  };
  beforeEach(() => {
    dir = makeTempDir();
    calls = clusterCalls(dir.path);
  });
  afterEach(() => {
    served?.[Symbol.dispose]();
    served = undefined;
    dir[Symbol.dispose]();
  });
  /** What the daemon sends back to a line. */
  const ask = async (line: string): Promise<string> => {
    const connection = connect(clusterSocket(dir.path));
    connection.end(line);
    return await text(connection);
  };

  it('answers each verb', async () => {
    await serve();
    assert.deepEqual(await calls.status(), { cluster: 'prod', file: FILE, ...REPORT });
    assert.deepEqual(await calls.remote('web'), []);
    assert.equal(await calls.forget('b'), 7);
    assert.equal(await calls.leave(), FILE);
    assert.equal(await calls.forceLeave(), FILE);
    assert.deepEqual(left, ['left', 'forced']);
  });

  it('hands errors over as they are', async () => {
    await serve();
    await assert.rejects(calls.forget('c'), (error: unknown) => {
      assert.ok(error instanceof NetError && error.kind === 'conflict');
      assert.equal(error.message, 'cluster.forget host c: it is in the cluster. Run cluster leave on it');
      return true;
    });
  });

  it('answers every verb with why it has no cluster', async () => {
    await serve(fault.invalidConfig('cluster', FILE, '.port=0: it must be >= 1', 'Write it so'));
    for (const call of [calls.status(), calls.remote('web'), calls.forget('b'), calls.leave()])
      await assert.rejects(call, { kind: 'invalid-config', message: /cluster\.json: \.port=0/ });
  });

  it('refuses what is no request', async () => {
    await serve();
    for (const line of ['\n', '{}\n', '[]\n', '{"verb":"drop"}\n', '{"verb":\n', 'GET / HTTP/1.1\r\n\r\n'])
      assert.match(await ask(line), /^\{"error":\{"kind":"decode".*malformed request/, line);
    assert.equal(await ask('{"verb":"status"}'), '');
    assert.equal(await ask('x'.repeat(5000)).catch(() => ''), '');
    assert.equal((await calls.status()).cluster, 'prod');
  });

  it('says that nobody serves, or that the answer broke off', async () => {
    await assert.rejects(calls.status(), { kind: 'unavailable', message: /no daemon that belongs to a cluster/ });
    await serve();
    served?.[Symbol.dispose]();
    await assert.rejects(calls.status(), { kind: 'unavailable', message: /no daemon that belongs to a cluster/ });
    const server = createServer((connection) => connection.end('{"result"'));
    await new Promise<void>((resolve) => server.listen(clusterSocket(dir.path), resolve));
    await assert.rejects(calls.status(), { kind: 'unavailable', message: /ended before it had answered/ });
    server.close();
  });
});

describe('what other hosts have of a network', () => {
  it('is sorted by host and address, and names the host', () => {
    const endpoint = (address: string, host: string) => ({ addresses: [address], mac: '0a:00:00:00:00:01', host });
    const endpoints = [
      endpoint('10.0.0.10', '192.0.2.2'),
      endpoint('10.0.0.9', '192.0.2.2'),
      endpoint('10.0.0.3', '192.0.2.9'),
    ];
    const remote = () => ({ mode: 'shared', pools: [], flood: false, endpoints, isContested: false }) as const;
    const found = listRemote({ report: () => REPORT, remote }, 'n1');
    assert.deepEqual(
      found.map(({ addresses, host, underlay }) => `${addresses.join(' ')} ${host} ${underlay}`),
      ['10.0.0.3 undefined 192.0.2.9', '10.0.0.9 b 192.0.2.2', '10.0.0.10 b 192.0.2.2'],
    );
  });

  it('is the ranges of each host in mode per-host', () => {
    const hosts = [{ ranges: ['10.0.1.0/24', 'fd00:1::/80'], mac: '0a:00:00:00:00:02', host: 'fd00::2' }];
    const [found] = listRemote(
      { report: () => REPORT, remote: () => ({ mode: 'per-host', hosts, isContested: false }) },
      'n1',
    );
    assert.deepEqual(found, { addresses: hosts[0]?.ranges, mac: hosts[0]?.mac, host: 'b', underlay: 'fd00::2' });
  });
});

describe('the file of a cluster', () => {
  it('replaces none but that of the same cluster', () => {
    using dir = makeTempDir();
    const path = join(dir.path, 'etc/cluster.json');
    assert.doesNotThrow(() => assertReplaceable(path, 'prod'));
    writeClusterFile(path, { name: 'prod', etcd: { endpoints: ['http://a:1'] } });
    assert.doesNotThrow(() => assertReplaceable(path, 'prod'));
    assert.throws(() => assertReplaceable(path, 'lab'), { kind: 'exists', message: /it is that of cluster prod/ });
    for (const content of ['', 'x', '{}', '{"name":"prod"}']) {
      writeFileSync(path, content);
      assert.throws(() => assertReplaceable(path, 'prod'), { kind: 'exists', message: /no file of a cluster/ });
    }
    assert.throws(() => writeClusterFile(join(path, 'x'), {}), { kind: 'io', message: /it cannot be written/ });
  });
});
