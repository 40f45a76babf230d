import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { controlRequest } from '../support/control.ts';
import { type DaemonBin, type DaemonSite, daemonBin, isAlive, makeSite } from '../support/daemon-site.ts';
import { readPage } from '../support/docs.ts';
import { makeTempDir } from '../support/temp.ts';

const PACKAGING = join(import.meta.dirname, '../../build/packaging');
const RULES = join(PACKAGING, 'prometheus/isthmus.rules.yml');
const DASHBOARD = join(PACKAGING, 'grafana/isthmus.json');
const PORT = '127.0.0.1:9464';

/** The metrics of a daemon, as a real Prometheus reads them. */
describe("the daemon's metrics", function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { pods: 2 });
    await site.start({ env: { ISTHMUS_METRICS: PORT } });
    site.ok('ADD');
    site.ok('ADD', { pod: 1 });
    site.ok('DEL', { pod: 1 });
    site.run('ADD', { pod: 1, config: { ...site.config, ipam: { ranges: [[{ subnet: 'nonsense' }]] } } });
  });
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const scrape = async (): Promise<string> =>
    (await controlRequest(join(site.runDir, 'control.sock'), '/metrics')).text;
  const inside = (...words: readonly string[]): string =>
    execFileSync('nsenter', [`--net=${site.host.ns.path}`, ...words], { encoding: 'utf8', timeout: 20_000 });
  /** What the port answers to a request of an HTTP client in the host's namespace. */
  const asked = (path: string, host = PORT): string => {
    const script = `
      const request = require('node:http').get({ host: '127.0.0.1', port: 9464, path: '${path}', headers: { Host: '${host}' } });
      request.on('error', ({ code }) => console.log(code));
      request.on('response', (response) => console.log(response.statusCode) ?? response.pipe(process.stdout));`;
    return inside(process.execPath, '-e', script);
  };
  const value = (text: string, series: string): number | undefined => {
    const found = text.split('\n').find((line) => line.startsWith(`${series} `));
    return found === undefined ? undefined : Number(found.split(' ').at(-1));
  };

  it('count operations, by result and phase', async () => {
    const text = await scrape();
    const count = (labels: string): number | undefined =>
      value(text, `isthmus_operation_duration_seconds_count{${labels}}`);
    assert.equal(count('camp="cni",operation="ADD",result="ok"'), 2);
    assert.equal(count('camp="cni",operation="ADD",result="error"'), 1);
    assert.equal(count('camp="cni",operation="DEL",result="ok"'), 1);
    const bucket = 'isthmus_operation_duration_seconds_bucket{camp="cni",operation="ADD",result="ok"';
    assert.equal(value(text, `${bucket},le="+Inf"}`), 2);
    const bounds = [...text.matchAll(/operation="ADD",result="ok",le="[^"]*"\} (\d+)/g)].map(([, found]) =>
      Number(found),
    );
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      'they are cumulative',
    );
    for (const phase of ['queue', 'lock', 'kernel', 'commit'])
      assert.ok(value(text, `isthmus_operation_phase_duration_seconds_count{operation="ADD",phase="${phase}"}`), phase);
  });

  it('show the state: endpoints, addresses, half-done work and missing rules', async () => {
    const text = await scrape();
    assert.equal(value(text, 'isthmus_state_readable'), 1);
    assert.equal(value(text, 'isthmus_endpoints{camp="cni"}'), 1);
    assert.equal(value(text, 'isthmus_endpoints{camp="docker"}'), 0);
    const network = `{network="${site.config.name}",family="4"}`;
    const [used = -1, free = -1] = ['used', 'free'].map((kind) => value(text, `isthmus_leases_${kind}${network}`));
    assert.equal(used, 1);
    // All of 10.88.0.0/24 but network, broadcast, gateway and the one in use.
    assert.equal(free, 252);
    assert.equal(value(text, 'isthmus_half_done'), 0);
    assert.equal(value(text, 'isthmus_rules_missing'), 0);
    assert.ok((value(text, 'process_resident_memory_bytes') ?? 0) > 30e6);
    assert.ok(Math.abs((value(text, 'process_start_time_seconds') ?? 0) - Date.now() / 1000) < 120);
  });

  it('pass promtool', async () => {
    execFileSync('promtool', ['check', 'metrics'], { input: await scrape(), stdio: 'pipe' });
    const said = execFileSync('promtool', ['check', 'rules', '--lint-fatal', RULES], { encoding: 'utf8' });
    assert.match(said, /SUCCESS: 12 rules found/);
  });

  it('are all that the port has, and only under a local name', () => {
    assert.match(asked('/metrics'), /^200\n[\s\S]*isthmus_build_info/);
    for (const path of ['/v1/status', '/v1/events', '/']) assert.match(asked(path), /^404\n/);
    assert.equal(asked('/metrics', 'rebound.example'), 'ECONNRESET\n');
  });

  it('are read by Prometheus, which evaluates the rules and the queries of the dashboard', async () => {
    using dir = makeTempDir();
    const config = join(dir.path, 'prometheus.yml');
    const scraped = { job_name: 'isthmus', static_configs: [{ targets: [PORT] }] };
    const global = { scrape_interval: '1s', evaluation_interval: '1s' };
    // JSON is YAML.
    writeFileSync(config, JSON.stringify({ global, rule_files: [RULES], scrape_configs: [scraped] }));
    const options = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${dir.path}`,
      '--web.listen-address=127.0.0.1:9090',
    ];
    const words = [`--net=${site.host.ns.path}`, 'prometheus', ...options];
    const prometheus = spawn('nsenter', words, { stdio: 'ignore' });
    try {
      const query = (expression: string): string =>
        inside('promtool', 'query', 'instant', 'http://127.0.0.1:9090', expression);
      let found = '';
      for (let i = 0; !found.includes('=>') && i < 60; i++) {
        await sleep(500);
        try {
          found = query('isthmus_endpoints{camp="cni"}');
        } catch {
          // It does not listen yet.
        }
      }
      assert.match(found, /instance="127\.0\.0\.1:9464".* => 1 @/);
      assert.match(query('up{job="isthmus"}'), /=> 1 @/);
      for (const expression of expressions()) query(expression);
      const api = `fetch('http://127.0.0.1:9090/api/v1/rules').then((a) => a.text()).then((a) => console.log(a))`;
      const rules = JSON.parse(inside(process.execPath, '-e', api)).data.groups[0].rules;
      assert.equal(rules.length, 12);
      // A busy machine may make one wait for its time.
      for (const { name, health, state } of rules)
        assert.deepEqual([health, state === 'firing'], ['ok', false], `${name}: ${state}`);
    } finally {
      if (isAlive(prometheus)) prometheus.kill('SIGKILL');
    }
  });

  it('name nothing in rules and dashboard that the daemon does not have', async () => {
    const text = await scrape();
    const used = `${readFileSync(RULES, 'utf8')} ${expressions().join(' ')}`;
    const names = new Set([...used.matchAll(/\b(?:isthmus|process)_[a-z0-9_]+/g)].map(([name]) => name));
    assert.ok(names.size > 10);
    for (const name of names) assert.match(text, new RegExp(`^${name}[ {]`, 'm'), name);
  });

  it('are those that the documentation lists', async () => {
    const names = [...(await scrape()).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
    const rows = readPage('docs/operations.md').matchAll(/^\| ((?:`(?:isthmus|process)_[a-z0-9_]+`(?:, )?)+) \|/gm);
    const listed = [...rows].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));
    assert.deepEqual(listed.toSorted(), names.toSorted());
  });

  it('cost a scrape in which nothing waits, also when a hundred come at once', async () => {
    const before = await scrape();
    const texts = await Promise.all(Array.from({ length: 100 }, scrape));
    assert.deepEqual([...new Set(texts.map((text) => value(text, 'isthmus_endpoints{camp="cni"}')))], [1]);
    assert.equal(value(before, 'isthmus_networks'), 1);
    site.ok('ADD', { pod: 1 });
    site.ok('DEL', { pod: 1 });
  });

  it('a port that is taken costs the metrics there, and nothing else', async () => {
    using other = makeSite(bin, { pods: 1 });
    const taken = spawn('nsenter', [`--net=${other.host.ns.path}`, process.execPath, '-e', LISTEN], { stdio: 'pipe' });
    try {
      await new Promise((resolve) => taken.stdout.once('data', resolve));
      const daemon = await other.start({ env: { ISTHMUS_METRICS: PORT } });
      assert.match(daemon.log(), /level=error event=metrics\.socket address=127\.0\.0\.1:9464 error=.*EADDRINUSE/);
      other.ok('ADD');
      other.ok('DEL');
    } finally {
      taken.kill('SIGKILL');
    }
  });

  it('are served on loopback only', () => {
    for (const wrong of [
      '0.0.0.0:9464',
      '[::]:9464',
      '10.0.0.1:9464',
      'localhost:9464',
      '127.0.0.1',
      '127.0.0.1:0',
      ':9464',
    ]) {
      const words = [join(bin.path, 'cnm-shim'), 'serve', '--metrics', wrong, '--run-dir', join(site.runDir, 'other')];
      const { status, said } = attempt(words);
      assert.deepEqual([status, /not.*loopback|no address of loopback/.test(said)], [2, true], `${wrong}: ${said}`);
    }
  });

  function expressions(): string[] {
    const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: { targets: { expr: string }[] }[] };
    const found = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    return found.map((expr) => expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'));
  }
});

const LISTEN = `require('node:net').createServer().listen(9464, '127.0.0.1', () => console.log('listens'))`;

function attempt([program = '', ...args]: readonly string[]): { status: number; said: string } {
  try {
    execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe', timeout: 20_000 });
    return { status: 0, said: '' };
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    return { status, said: stderr };
  }
}
