import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseTar } from 'nanotar';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { makeTempDir } from '../support/temp.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

/** Each is planted in another place, and in no bundle. */
const SECRETS = {
  password: 'correct-horse-battery-staple',
  urlPassword: 'hunter2hunter2',
  token: 'tok_51H8xUabcdefXYZ',
  nested: 'nested-secret-value',
  jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N',
  pem: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7',
  key: Buffer.alloc(32, 7).toString('base64'),
  environment: 'env-secret-123456',
};
const CONTAINER = 'payroll-7f3c9d21';

describe('isthmus support-bundle', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let files: ReturnType<typeof makeTempDir>;
  let verbs: Verbs;

  before(async () => {
    bin = daemonBin();
    files = makeTempDir();
    site = makeSite(bin, { pods: 1, conf: { name: 'payroll-prod', bridge: 'isth-payroll' } });
    plant();
    const env = {
      ...{ ISTHMUS_RUN_DIR: site.runDir, ISTHMUS_CNI_CONF_DIR: join(files.path, 'net.d') },
      ISTHMUS_CLUSTER: join(files.path, 'cluster.json'),
    };
    verbs = makeVerbs({ stateDir: site.host.stateDir, netns: site.host.ns.path, env });
    await site.start();
    site.ok('ADD', { containerId: CONTAINER });
    site.run('ADD', { config: { ...site.config, ipam: { ranges: [[{ subnet: '10.66.77.0/8x' }]] } } });
    const db = new DatabaseSync(join(site.host.stateDir, 'state.db'));
    const value = JSON.stringify({ generation: 1, at: 1, current: SECRETS.key, next: SECRETS.key });
    db.prepare("INSERT INTO cluster_keys VALUES ('root', 'esp-keys', 'held', ?, 0)").run(value);
    db.prepare("INSERT INTO notes VALUES ('root', 'planted', ?)").run(JSON.stringify({ token: SECRETS.nested }));
    db.close();
  });
  after(() => {
    site?.[Symbol.dispose]();
    files?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  function plant(): void {
    const write = (name: string, content: unknown): void =>
      writeFileSync(join(files.path, name), typeof content === 'string' ? content : JSON.stringify(content));
    mkdirSync(join(files.path, 'net.d'));
    write('password', `${SECRETS.password}\n`);
    write('cluster.json', {
      name: 'acme-cluster',
      etcd: {
        endpoints: [`https://admin:${SECRETS.urlPassword}@etcd7.acme.example:2379`, 'https://10.66.1.9:2379'],
        ...{ user: 'acme-root', passwordFile: join(files.path, 'password') },
      },
    });
    write('net.d/10-payroll.conflist', {
      ...{ cniVersion: '1.1.0', name: 'payroll-prod' },
      plugins: [
        {
          ...{ type: 'other', token: SECRETS.token, auth: { bearerToken: SECRETS.nested }, jwt: SECRETS.jwt },
          kubeconfig: `-----BEGIN PRIVATE KEY-----\n${SECRETS.pem}\n-----END PRIVATE KEY-----\n`,
          dns: { nameservers: ['10.66.1.53', 'fd66:1::53'], domain: 'corp.acme.example' },
          // Of a secret that another place names, too.
          comment: `the password is ${SECRETS.password}, ${SECRETS.token}`,
        },
      ],
    });
    write('net.d/20-other.conf', `{ not json, "password": "${SECRETS.environment}", API_TOKEN=${SECRETS.environment}`);
  }

  const bundle = async (...args: readonly string[]) => {
    const path = join(files.path, `bundle${readdirSync(files.path).length}.tar`);
    const said = await verbs.ok('support-bundle', '-o', path, ...args);
    const entries = parseTar(readFileSync(path));
    return { path, said, entries, text: entries.map(({ name, text }) => `${name}\n${text}`).join('\n') };
  };

  it('has what a maintainer needs, for its owner only', async () => {
    const { path, said, entries } = await bundle();
    assert.equal((statSync(path).mode & 0o777).toString(8), '600');
    const of = (name: string): string => entries.find((entry) => entry.name === `isthmus-support/${name}`)?.text ?? '';
    assert.match(said, /^\S+\.tar: \d+ files, \d+ not collected/);
    assert.match(of('versions/isthmus.json'), /"version": "\d/);
    assert.match(of('state/state.json'), /"containerId": "payroll-7f3c9d21"/);
    assert.match(of('state/state.json'), /"address": "10\.88\.0\./);
    assert.match(of('links/links.txt'), /isth-payroll/);
    assert.match(of('rules/nft.txt'), /table/);
    assert.match(of('routes/routes4.txt'), /isth-payroll/);
    assert.match(of('daemon/status.json'), /"eventLoopDelayMs"/);
    assert.match(of('daemon/events.json'), /"operation": "ADD"/);
    assert.match(of('daemon/metrics.txt'), /isthmus_build_info/);
    assert.match(of(`configuration${files.path}/cluster.json`), /"acme-cluster"/);
    assert.match(of('README.txt'), /Passwords, keys and tokens are removed/);
    const listed = execFileSync('tar', ['-tvf', path], { encoding: 'utf8' });
    assert.equal(listed.trim().split('\n').length, entries.length);
    for (const line of listed.trim().split('\n')) assert.match(line, /^-rw------- /);
  });

  for (const args of [[], ['--redact']])
    it(`has no secret ${args.join(' ')}`, async () => {
      const { text } = await bundle(...args);
      for (const [where, secret] of Object.entries(SECRETS)) assert.ok(!text.includes(secret), where);
    });

  it('has no address and no name with --redact, and the same other one everywhere', async () => {
    const { text, entries } = await bundle('--redact');
    const { ns } = site.host;
    const shown = ns.ip('-o', 'addr') + ns.ip('-o', 'link') + site.host.pod(0).ip('-o', 'addr', 'show', 'dev', 'eth0');
    const addresses = [...shown.matchAll(/(?:inet6? |ether )([0-9a-f.:]+)/g)].flatMap(([, found = '']) => found);
    const real = addresses.filter((address) => !['127.0.0.1', '::1'].includes(address));
    assert.ok(real.length > 4, shown);
    const links = [...shown.matchAll(/^\d+: ([\w-]+)/gm)].flatMap(([, found = '']) => found);
    const names = [
      ...['payroll', 'acme', 'etcd7', '7f3c9d21', hostname(), site.host.pod(0).name],
      ...links.filter((name) => name !== 'lo' && name !== 'eth0'),
    ];
    for (const planted of [...real, '10.66.1.9', '10.66.1.53', 'fd66:1::53', '10.66.77', ...names]) {
      // The host may be called vm, and nft has a vmap.
      const found = new RegExp(`(?<![A-Za-z0-9])${planted}(?![A-Za-z0-9])`).exec(text);
      assert.equal(found, null, `${planted}: ${line(text, found?.index ?? 0)}`);
    }
    const of = (name: string): string => entries.find((entry) => entry.name === `isthmus-support/${name}`)?.text ?? '';
    const [bridge = ''] = /(?<=dev )link-\d+/.exec(of('routes/routes4.txt')) ?? [];
    assert.ok(of('links/links.txt').includes(`: ${bridge}:`), of('links/links.txt'));
    assert.match(of('state/state.json'), /"containerId": "container-\d+"/);
  });

  it('works without a daemon and without a state', async () => {
    const nowhere = { stateDir: join(files.path, 'none'), netns: site.host.ns.path };
    const path = join(files.path, 'empty.tar');
    const run = makeVerbs({ ...nowhere, env: { ISTHMUS_RUN_DIR: join(files.path, 'none') } });
    await run.ok('support-bundle', '-o', path);
    const about = parseTar(readFileSync(path)).find(({ name }) => name.endsWith('README.txt'))?.text ?? '';
    assert.match(about, /daemon\/status\.json: .*no daemon runs here/);
    assert.match(about, /state\/state\.json: /);
  });

  it('looks at a broken state, and leaves it as it is', async () => {
    const dir = makeTempDir();
    try {
      writeFileSync(join(dir.path, 'state.db'), 'no database');
      const run = makeVerbs({ stateDir: dir.path, netns: site.host.ns.path });
      await run.ok('support-bundle', '-o', join(files.path, 'broken.tar'));
      assert.equal(readFileSync(join(dir.path, 'state.db'), 'utf8'), 'no database');
      assert.deepEqual(readdirSync(dir.path), ['state.db']);
    } finally {
      dir[Symbol.dispose]();
    }
  });

  it('leaves the state of a stopped daemon as it is', async () => {
    await site.daemon.end();
    const { stateDir } = site.host;
    const listed = (): string[] =>
      readdirSync(stateDir)
        .toSorted()
        .map((name) => `${name} ${statSync(join(stateDir, name)).size}`);
    const before = listed();
    const { text } = await bundle();
    assert.match(text, /"containerId": "payroll-7f3c9d21"/);
    assert.deepEqual(listed(), before);
    await site.start();
  });

  it('writes to stdout, and overwrites no file', async () => {
    const taken = join(files.path, 'taken');
    writeFileSync(taken, 'mine');
    await verbs.refused(['support-bundle', '-o', taken], 1, /file \S+taken: it exists already\. Give another one/);
    assert.equal(readFileSync(taken, 'utf8'), 'mine');
    await verbs.refused(['support-bundle', '-o', join(files.path, 'none', 'x')], 1, /cannot be created/);
    const { code, stdout } = await verbs.run('support-bundle', '-o', '-');
    assert.equal(code, 0);
    assert.ok(stdout.startsWith('isthmus-support/README.txt\0'));
  });
});

/** The line that has this place in the text. */
function line(text: string, at: number): string {
  return text.slice(0, at).split('\n').at(-1) + (text.slice(at).split('\n')[0] ?? '');
}
