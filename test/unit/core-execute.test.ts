import { strict as assert } from 'node:assert';
import { execute, reverse } from '../../src/shared/core/execute.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeCore } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';

const portAt = (hostPort: number): FirewallEntry => ({
  ...{ kind: 'port', protocol: 'tcp', hostPort, address: '10.88.0.2', port: 80 },
  ...{ snat: false, masqAll: false, conditions: [] },
});

describe('ops on the packet filter', () => {
  const entries = [1, 2, 3].map(portAt);
  const ops = (op: 'firewall.add' | 'firewall.delete'): Op[] =>
    entries.map((entry): Op => ({ op, ns: 'host', backend: 'nftables', entries: [entry] }));

  for (const [title, run, op] of [
    ['execute', execute, 'firewall.add'],
    ['reverse', reverse, 'firewall.delete'],
  ] as const)
    it(`${title}: the first is begun before the call returns; other calls come before each further one`, async () => {
      const firewaller = new FakeFirewaller();
      if (op === 'firewall.delete') await firewaller.add(entries);
      const before = firewaller.changes.length;
      let rests = 0;
      const core = {
        ...makeCore(new FakeHost()),
        firewall: () => firewaller,
        rest: async () => void rests++,
      };
      const done = run(core, ops(op), { host: core.host.own });
      assert.deepEqual([firewaller.changes.length - before, rests], [1, 0]);
      await done;
      assert.deepEqual([firewaller.changes.length - before, rests], [3, 2]);
    });
});

describe('announcements', () => {
  const announce: Op = {
    op: 'announce',
    ns: 'sandbox',
    dev: 'eth0',
    mac: '0a:58:0a:58:00:02',
    addresses: ['10.88.0.2'],
  };

  it('are sent before the plan is done, and nothing else waits for them', async () => {
    const core = makeCore(new FakeHost());
    const { promise: sent, resolve } = Promise.withResolvers<void>();
    const host = Object.assign(Object.create(core.host), { apply: () => {}, announced: () => sent });
    const namespaces = { host: core.host.own };
    let isDone = false;
    const done = execute({ ...core, host }, [announce], namespaces).then(() => {
      isDone = true;
    });
    await execute({ ...core, host }, [{ op: 'link.set', ns: 'host', name: 'br', set: { up: true } }], namespaces);
    assert.equal(isDone, false);
    resolve();
    await done;
  });
});
