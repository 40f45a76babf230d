import { strict as assert } from 'node:assert';
import { assertPortsFree, lookAtMappings, naming } from '../../src/shared/core/ports/seen.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import type { Holder, Host, PortQuery, ViewQuery } from '../../src/shared/host/host.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeCore, refusedWith } from '../support/core.ts';
import { dockerRules } from '../support/offers.ts';

const ID = 'c0ffee'.padEnd(64, '0');
const OTHER = 'decade'.padEnd(64, '0');
const OWNER: Attachment = { camp: 'cni', network: 'web', containerId: ID, ifName: 'eth0' };
const RULES: Rules = {
  ...dockerRules(),
  mappings: [8080, 8081].map((hostPort) => ({ protocol: 'tcp', hostPort, containerPort: 80 })),
};

describe('ports seen on the host', () => {
  for (const [words, why] of [
    [['/usr/bin/conmon', '--api-version', '1', '-c', ID, '-u', ID, '-n', 'web'], '-c ID'],
    [['conmon', '--cid', ID], '--cid ID'],
    [['conmon', `--cid=${ID}`], '--cid=ID'],
  ] as const) {
    it(`lets the conmon of the same container hold a port (${why})`, () => check(hostWith({ words })));
  }

  for (const [title, holder] of [
    ['a process whose arguments have the container id', { program: 'nc', words: ['nc', '-l', '8080', '-c', ID] }],
    [
      'a process that calls itself conmon',
      { program: 'python3', process: 'conmon (pid 7)', words: ['conmon', '-c', ID] },
    ],
    ['the conmon of another container', { words: ['conmon', '-c', OTHER] }],
    ['the conmon of a container whose name contains the id', { words: ['conmon', '-c', OTHER, '-n', `x${ID}`] }],
    ['a conmon with the id in a longer word', { words: ['conmon', '-c', `${ID}0`, `-b=/run/${ID}/userdata`] }],
    ['a conmon of another user', { words: ['conmon', '-c', ID], isOwnUser: false }],
  ] as const satisfies readonly (readonly [string, Partial<Holder>])[]) {
    it(`rejects a port that ${title} listens on`, async () => {
      await assert.rejects(
        check(hostWith(holder)),
        refusedWith('conflict', /8080\/tcp: conmon \(pid 7\) listens on it/),
      );
    });
  }

  it('reads the processes of the host once for all ports, and only if a port is taken', async () => {
    const asked: unknown[] = [];
    const watched = (host: FakeHost): Host => ({
      identity: host.identity,
      own: host.own,
      open: (path) => host.open(path),
      observe: (ns, query: ViewQuery) => {
        if (query.holders !== undefined) asked.push([query.holders, query.program ?? 'all']);
        return host.observe(ns as FakeHost['own'], query);
      },
      apply: (ops, namespaces) => host.apply(ops, namespaces),
      revert: (ops, namespaces) => host.revert(ops, namespaces),
    });
    await check(watched(new FakeHost()));
    assert.deepEqual(asked, []);
    const conmon = listener({ words: ['conmon', '-c', ID] });
    await check(watched(new FakeHost({ listeners: [conmon, { ...conmon, port: 8081 }] })));
    assert.deepEqual(asked, [[[0, 1], 'conmon']]);
    asked.length = 0;
    const nginx = listener({ program: 'nginx', process: 'nginx (pid 9)' });
    await assert.rejects(
      check(watched(new FakeHost({ listeners: [conmon, { ...nginx, port: 8081 }] }))),
      refusedWith('conflict', /8081\/tcp: nginx \(pid 9\) listens on it/),
    );
    assert.deepEqual(asked, [
      [[0, 1], 'conmon'],
      [[1], 'all'],
    ]);
  });
});

async function check(host: Host): Promise<void> {
  const core = makeCore(host);
  const seen = await lookAtMappings(core, RULES.mappings, OWNER);
  await naming(core, seen, async () => assertPortsFree(seen, RULES.mappings));
}

function hostWith(holder: Partial<Holder>): FakeHost {
  return new FakeHost({ listeners: [listener(holder)] });
}

function listener(holder: Partial<Holder>): PortQuery & Holder {
  const usual = { process: 'conmon (pid 7)', program: 'conmon', words: [], isOwnUser: true };
  return { protocol: 'tcp', port: 8080, ...usual, ...holder };
}
