import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type DaemonBin, type DaemonSite, daemonBin, isAlive, makeSite, until } from '../support/daemon-site.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

interface Event {
  readonly operation: string;
  readonly result: string;
  readonly subject: Readonly<Record<string, string>>;
}

describe('isthmus events', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let verbs: Verbs;
  const children: ChildProcess[] = [];

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { pods: 1 });
    const env = { ISTHMUS_RUN_DIR: site.runDir };
    verbs = makeVerbs({ stateDir: site.host.stateDir, netns: site.host.ns.path, env });
    await site.start();
    site.ok('ADD', { env: { TRACEPARENT } });
    site.ok('DEL');
    site.run('ADD', { config: { ...site.config, ipam: { ranges: [[{ subnet: 'nonsense' }]] } } });
  });
  after(() => {
    for (const child of children) if (isAlive(child)) child.kill('SIGKILL');
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  it('shows a line for each operation, with phases, trace context and why it failed', async () => {
    const lines = (await verbs.ok('events')).trimEnd().split('\n');
    const [first = '', add = '', del = '', failed = ''] = lines;
    assert.match(first, /Z {2}daemon {2}reconcile {2}ok .* reason start/);
    assert.match(add, /Z {2}cni {5}ADD {8}ok {5} *[\d.]+ ms {2}plugin isthmus, network web, container .*\(queue /);
    assert.ok(add.endsWith(TRACEPARENT), add);
    assert.match(del, / DEL {8}ok /);
    assert.match(failed, / ADD {8}error .*nonsense/);
    assert.equal(lines.length, 4);
    assert.equal(await verbs.ok('logs'), await verbs.ok('events'));
  });

  it('filters by result, operation, network and the beginning of a container id', async () => {
    const of = (...filters: readonly string[]): Promise<Event[]> =>
      verbs.json('events', ...filters.flatMap((filter) => ['--filter', filter]));
    assert.deepEqual(
      (await of()).map(({ operation }) => operation),
      ['reconcile', 'ADD', 'DEL', 'ADD'],
    );
    assert.equal((await of('result=error')).length, 1);
    assert.equal((await of('operation=add')).length, 2);
    assert.equal((await of('operation=add', 'operation=del')).length, 3);
    assert.equal((await of('operation=add', 'result=ok')).length, 1);
    const [{ subject: { container = '' } = {} } = {}] = await of('operation=DEL');
    assert.equal((await of(`container=${container.slice(0, 4)}`)).length, 3);
    assert.deepEqual(await of('network=other'), []);
    await verbs.refused(['events', '--filter', 'colour=red'], 2, /Write key=value; keys are camp, operation/);
  });

  it('follows, one JSON object a line, until the daemon ends it', async () => {
    const following = follow('events', '--follow', '-o', 'json');
    await until(() => following.text().split('\n').length > 4, 'the kept ones have come');
    site.ok('ADD');
    await until(() => following.text().split('\n').length > 5, 'the next one has come');
    site.ok('DEL');
    await until(() => following.text().split('\n').length > 6, 'the last one has come');
    const events: Event[] = following
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.slice(-2).map(({ operation }) => operation),
      ['ADD', 'DEL'],
    );
    following.child.kill('SIGKILL');
  });

  it('ends quietly when its reader leaves', async () => {
    const following = follow('events', '--follow');
    await until(() => following.text() !== '', 'the first ones have come');
    following.child.stdout?.destroy();
    const ended = once(following.child, 'exit');
    // It learns of it when it writes.
    site.ok('ADD');
    site.ok('DEL');
    assert.deepEqual([(await ended)[0], following.errors()], [0, '']);
  });

  it('says in one sentence that no daemon runs', async () => {
    const nowhere = ['--run-dir', join(site.runDir, 'none')];
    for (const verb of ['events', 'logs'])
      for (const more of [[], ['--follow'], ['-o', 'json']])
        await verbs.refused(
          [verb, ...nowhere, ...more],
          1,
          /none\/control\.sock: no daemon runs here\. Start the daemon/,
        );
  });

  it('says so when the daemon ends while it follows', async () => {
    const following = follow('events', '--follow');
    await until(() => following.text() !== '', 'the first ones have come');
    const ended = once(following.child, 'exit');
    await site.daemon.end('SIGKILL');
    assert.equal((await ended)[0], 1);
    assert.match(following.errors(), /^isthmus: daemon \S+control\.sock: it ended, or dropped this reader[^\n]*\n$/);
  });

  function follow(...words: readonly string[]) {
    const child = spawn('nsenter', [`--net=${site.host.ns.path}`, join(bin.path, 'cnm-shim'), ...words], {
      env: { PATH: process.env.PATH, ISTHMUS_RUN_DIR: site.runDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [text, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      errors += piece;
    });
    children.push(child);
    return { child, text: () => text, errors: () => errors };
  }
});
