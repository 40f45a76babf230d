import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClusterConfig,
  parseClusterConfig,
  readClusterConfig,
  readNamed,
} from '../../src/shared/config/cluster.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { makeTempDir } from '../support/temp.ts';

const FILE = '/etc/isthmus/cluster.json';
const LEAST = { name: 'prod', etcd: { endpoints: ['https://10.0.0.1:2379'] } };

type More = Readonly<Record<string, unknown>>;
const zookeeper = (more: More = {}): More => ({
  etcd: undefined,
  zookeeper: { endpoints: ['10.0.0.1:2181'], ...more },
});
const parse = (more: More = {}): ClusterConfig => parseClusterConfig({ ...LEAST, ...more }, FILE);
const etcd = (more: More): More => ({ etcd: { ...LEAST.etcd, ...more } });

/** The message of the NetError `invalid-config`, which names the file and has a remedy. */
function refused(run: () => unknown, file = FILE): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof NetError && error.kind === 'invalid-config', String(error));
    assert.notEqual(error.hint, '');
    assert.ok(error.message.startsWith(`cluster ${file}`), error.message);
    return error.message.slice(`cluster ${file}`.length);
  }
  throw new assert.AssertionError({ message: 'it was taken' });
}

describe('cluster.json', () => {
  it('has defaults for all but the name and the endpoints', () => {
    assert.deepEqual(parse(), {
      ...LEAST,
      ...{ family: 4, port: 4789, firstVni: 4096, lastVni: 0xffffff, graceSeconds: 900 },
    });
  });

  it('takes every key', () => {
    const all = { ca: '/ca', cert: '/cert', key: '/key', serverName: 'etcd', user: 'u', passwordFile: '/p' };
    const more = { hostName: 'n1', underlay: 'eth1', family: 6, port: 8472, graceSeconds: 60 };
    assert.deepEqual(parse({ $schema: 'x', ...etcd(all), ...more, vnis: [1, 1] }), {
      ...{ name: 'prod', etcd: { ...LEAST.etcd, ...all } },
      ...{ ...more, firstVni: 1, lastVni: 1 },
    });
  });

  for (const more of [
    ...[{ name: 'a' }, { name: `a${'b'.repeat(127)}` }, { name: '0_.-' }],
    ...[{ port: 1 }, { port: 65_535 }, { family: 4 }, { graceSeconds: 30 }, { graceSeconds: 86_400 }],
    ...[zookeeper(), zookeeper({ user: 'u', passwordFile: '/p' })],
    ...[{ vnis: [1, 16_777_215] }, { hostName: 'h'.repeat(128) }, etcd({ endpoints: Array(16).fill('http://a:1') })],
  ])
    it(`takes ${JSON.stringify(more).slice(0, 60)}`, () => assert.doesNotThrow(() => parse(more)));

  for (const [more, message] of [
    [{ name: undefined }, / \.name: it is missing\. Add it$/],
    [{ name: '' }, / \.name="": it is not a name of letters/],
    [{ name: '-a' }, / \.name="-a": it is not a name of letters/],
    [{ name: 'a/b' }, / \.name="a\/b": it is not a name of letters/],
    [{ name: 'a'.repeat(129) }, / \.name="a+.*: it has more than 128 characters/],
    [{ name: 7 }, / \.name=7: it is not a string/],
    [{ etcd: undefined }, / \.etcd: it is missing\. Add it, or zookeeper/],
    [{ etcd: {} }, / \.etcd\.endpoints: it is missing/],
    [{ etcd: [] }, / \.etcd=\[\]: it is not an object/],
    [etcd({ endpoints: [] }), / \.etcd\.endpoints=\[\]: it has fewer than 1 items/],
    [etcd({ endpoints: Array(17).fill('x') }), / \.etcd\.endpoints=.*: it has more than 16 items/],
    [etcd({ endpoints: 'http://a:1' }), / \.etcd\.endpoints="http:\/\/a:1": it is not an array/],
    [etcd({ endpoint: 'a' }), / \.etcd\.endpoint="a": there is no such key\. Did you mean endpoints\?/],
    [etcd({ cert: '/c' }), /: \.etcd\.cert and \.etcd\.key go together\. Give both or neither/],
    [etcd({ key: '/k' }), /: \.etcd\.cert and \.etcd\.key go together/],
    [etcd({ user: 'u' }), /: \.etcd\.user and \.etcd\.passwordFile go together/],
    [etcd({ passwordFile: '/p' }), /: \.etcd\.user and \.etcd\.passwordFile go together/],
    [{ ...zookeeper(), etcd: LEAST.etcd }, /: \.etcd and \.zookeeper exclude each other\. Keep the one of all hosts/],
    [{ etcd: undefined, zookeeper: {} }, / \.zookeeper\.endpoints: it is missing/],
    [zookeeper({ endpoints: [] }), / \.zookeeper\.endpoints=\[\]: it has fewer than 1 items/],
    [zookeeper({ user: 'u' }), /: \.zookeeper\.user and \.zookeeper\.passwordFile go together/],
    [zookeeper({ users: 'u' }), / \.zookeeper\.users="u": there is no such key\. Did you mean user\?/],
    [zookeeper({ ca: '/c' }), / \.zookeeper\.ca: TLS is not possible with ZooKeeper\. Run a tunnel/],
    [zookeeper({ serverName: 'n' }), / \.zookeeper\.serverName: TLS is not possible/],
    [{ hostName: 'h'.repeat(129) }, / \.hostName=.*: it has more than 128 characters/],
    [{ underly: 'eth1' }, / \.underly="eth1": there is no such key\. Did you mean underlay\?/],
    [{ underlay: 1 }, / \.underlay=1: it is not a string/],
    [{ family: 5 }, / \.family=5: it is not known here\. Choose among 4/],
    [{ family: '4' }, / \.family="4": it is not known here/],
    [{ port: 0 }, / \.port=0: it must be >= 1/],
    [{ port: 65_536 }, / \.port=65536: it must be <= 65535/],
    [{ port: 47.5 }, / \.port=47\.5: it is not an integer/],
    [{ vnis: [1] }, / \.vnis=\[1\]: it has fewer than 2 items/],
    [{ vnis: [1, 2, 3] }, / \.vnis=\[1,2,3\]: it has more than 2 items/],
    [{ vnis: [0, 2] }, / \.vnis\[0\]=0: it must be >= 1/],
    [{ vnis: [1, 16_777_216] }, / \.vnis\[1\]=16777216: it must be <= 16777215/],
    [{ vnis: [9, 8] }, /: \.vnis=\[9,8\] is no range\. Write the smaller first/],
    [{ graceSeconds: 29 }, / \.graceSeconds=29: it must be >= 30/],
    [{ graceSeconds: 86_401 }, / \.graceSeconds=86401: it must be <= 86400/],
  ] as const)
    it(`refuses ${JSON.stringify(more).slice(0, 60)}`, () =>
      assert.match(
        refused(() => parse(more)),
        message,
      ));

  for (const json of [[], 'text', 7, null])
    it(`refuses ${JSON.stringify(json)} in its place`, () => {
      assert.match(
        refused(() => parseClusterConfig(json, FILE)),
        / \.(name|etcd): it is missing/,
      );
    });

  it('is read from a file', () => {
    using dir = makeTempDir();
    const path = join(dir.path, 'cluster.json');
    assert.match(
      refused(() => readClusterConfig(path), path),
      /: it cannot be read \(ENOENT.*\)\. Name a file/,
    );
    writeFileSync(path, '{ "name": ');
    assert.match(
      refused(() => readClusterConfig(path), path),
      /: it is not JSON \(.*\)\. docs\/overlay\.md has an example/,
    );
    writeFileSync(path, JSON.stringify(LEAST));
    assert.deepEqual(readClusterConfig(path), parse());
  });

  it('is refused, like the files that it names, where one would wait or read without end', () => {
    using dir = makeTempDir();
    const fifo = join(dir.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const large = join(dir.path, 'large');
    writeFileSync(large, '');
    truncateSync(large, 3 * 2 ** 30);
    for (const [path, why] of [
      [fifo, 'it is not a regular file'],
      ['/dev/zero', 'it is not a regular file'],
      [large, 'it has more than 1048576 bytes'],
    ] as const) {
      const text = `: it cannot be read (${why}). Name a file that root can read`;
      assert.equal(
        refused(() => readClusterConfig(path), path),
        text,
      );
      assert.equal(
        refused(() => readNamed(path, '.etcd.ca'), `.etcd.ca=${path}`),
        text,
      );
    }
  });
});
