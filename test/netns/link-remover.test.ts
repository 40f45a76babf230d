import { strict as assert } from 'node:assert';
import { stat } from 'node:fs/promises';
import * as fc from 'fast-check';
import { LinkRemover } from '../../src/shared/host/link-remover.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { readLink } from '../../src/shared/host/read-links.ts';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { RTM_DELLINK } from '../../src/shared/netlink/constants.ts';
import { link } from '../../src/shared/netlink/link.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { watchExchanges } from '../support/watch-exchanges.ts';

const BRIDGE: Op = { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge' }, up: true };

describe('LinkRemover', () => {
  let host: LinuxHost;
  let netns: TestNetns;
  let inside: TestNetns;
  let ns: LinuxNamespace;
  let sandbox: LinuxNamespace;
  let remover: LinkRemover;

  before(async function () {
    skipIf(this, netnsMissing());
    await stat('/');
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('rm-');
    inside = makeNetns('rm-');
    ns = host.open(netns.path);
    sandbox = host.open(inside.path);
    remover = new LinkRemover(ns);
    apply(BRIDGE);
  });
  afterEach(() => {
    for (const one of [remover, ns, sandbox, netns, inside]) one?.[Symbol.dispose]();
  });
  after(() => host?.[Symbol.dispose]());

  const apply = (...ops: readonly Op[]): void => host.apply(ops, { host: ns, sandbox });
  const veth = (name: string): Op => {
    const peer = { ns: 'sandbox', name: `p${name}` } as const;
    return { op: 'link.create', ns: 'host', name, link: { kind: 'veth', peer }, master: 'br0', up: true };
  };
  const names = (count: number, prefix = 'v'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  const links = (of = ns): ReadonlyMap<string, LinkState> => host.observe(of, { links: 'all' }).links;
  const left = (of = ns): string[] => [...links(of).keys()].sort();
  /** The names are of no link at the moment when each is answered. */
  const remove = (all: readonly string[], kind = 'veth') =>
    Promise.all(
      all.map(async (name) => {
        const error = await remover.remove({ name, kind });
        if (error === undefined) assert.equal(readLink(ns, name), undefined, name);
        return error;
      }),
    );
  const deletions = (sent: ReturnType<typeof watchExchanges>['sent']) =>
    sent.flat().flatMap(({ type, payload }) => (type === RTM_DELLINK ? [link.decode(payload)] : []));

  for (const [count, sends] of [
    [1, 1],
    [2, 1],
    [40, 1],
    [150, 3],
  ] as const) {
    it(`removes ${count} with ${sends} deletion(s), both ends, and ignores missing ones`, async () => {
      apply(...names(count).map(veth));
      using watch = watchExchanges();
      const errors = await remove([...names(count), 'missing', 'br1']);
      assert.deepEqual(new Set(errors), new Set([undefined]));
      assert.deepEqual(left(), ['br0', 'lo']);
      assert.deepEqual(left(sandbox), ['lo']);
      assert.equal(deletions(watch.sent).length, sends);
    });
  }

  it('sends nothing for a missing link', async () => {
    using watch = watchExchanges();
    assert.deepEqual(await remove(['missing', 'nothing']), [undefined, undefined]);
    assert.equal(deletions(watch.sent).length, 0);
  });

  it('refuses a link of another kind, with the error of a step', async () => {
    apply(...names(3).map(veth), { op: 'link.create', ns: 'host', name: 'ifb7', link: { kind: 'ifb' } });
    const errors = await remove(['v0', 'ifb7', 'v1', 'br0']);
    assert.deepEqual([errors[0], errors[2]], [undefined, undefined]);
    for (const [i, name] of [
      [1, 'ifb7'],
      [3, 'br0'],
    ] as const) {
      assert.throws(
        () => apply({ op: 'link.delete', ns: 'host', name, kind: 'veth' }),
        (error) => error instanceof Error && error.message === errors[i]?.message,
      );
      assert.equal(errors[i]?.kind, 'conflict');
    }
    assert.deepEqual(left(), ['br0', 'ifb7', 'lo', 'v2']);
  });

  it('removes links of any kind when none is given, also a bridge and its ports at once', async () => {
    apply(...names(3).map(veth), { op: 'link.create', ns: 'host', name: 'ifb7', link: { kind: 'ifb' } });
    netns.ip('link', 'add', 'end0', 'type', 'veth', 'peer', 'name', 'end1');
    const all = ['v0', 'br0', 'v1', 'ifb7', 'end0', 'end1', 'v2'];
    const errors = await Promise.all(all.map((name) => remover.remove({ name })));
    assert.deepEqual(new Set(errors), new Set([undefined]));
    assert.deepEqual(left(), ['lo']);
  });

  it('reports a failed removal with the message of the kernel, and removes the rest', async () => {
    apply(...names(3).map(veth));
    using watch = watchExchanges();
    const errors = await Promise.all(
      ['v0', 'lo', 'a-name-of-more-than-15-letters', 'v1'].map((name) => remover.remove({ name })),
    );
    assert.deepEqual([errors[0], errors[3]], [undefined, undefined]);
    assert.match(errors[1]?.message ?? '', /^link\.delete link lo: it was not deleted \(Operation not supported/);
    assert.equal(errors[1]?.kind, 'unsupported');
    assert.match(errors[2]?.message ?? '', /a-name-of-more-than-15-letters could not be read .*policy validation/);
    assert.deepEqual(left(), ['br0', 'lo', 'v2']);
    assert.equal(deletions(watch.sent).length, 2, 'one for the group and one for what cannot be in it');
  });

  it('answers every caller that removes the same link, by the kind each gave', async () => {
    apply(...names(2).map(veth));
    const [a, b, c, d] = await Promise.all([
      remover.remove({ name: 'v0', kind: 'veth' }),
      remover.remove({ name: 'v0' }),
      remover.remove({ name: 'v0', kind: 'bridge' }),
      remover.remove({ name: 'v1' }),
    ]);
    assert.deepEqual([a, b, d], [undefined, undefined, undefined]);
    assert.equal(c?.kind, 'conflict');
    assert.deepEqual(left(), ['br0', 'lo']);
  });

  it('touches no other link, whatever its group', async () => {
    const groups = [0, 1, 7, 2 ** 24, 2 ** 31 - 1];
    apply(...names(groups.length, 'g').map(veth), ...names(20).map(veth));
    groups.forEach((group, i) => {
      netns.ip('link', 'set', `g${i}`, 'group', String(group));
    });
    const others = () => names(groups.length, 'g').map((name) => links().get(name));
    const before = others();
    assert.deepEqual(
      before.map((one) => one?.group),
      groups,
    );
    await remove(names(20));
    assert.deepEqual(others(), before);
    assert.deepEqual(left(), ['br0', ...names(groups.length, 'g'), 'lo']);
  });

  it('batches what several callers request in one turn of the event loop', async () => {
    apply(...names(8).map(veth));
    using watch = watchExchanges();
    const callers = names(8).map(
      (name) => new Promise<unknown>((resolve) => setImmediate(() => resolve(remove([name])))),
    );
    assert.deepEqual(new Set((await Promise.all(callers)).flat()), new Set([undefined]));
    assert.equal(deletions(watch.sent).length, 1);
  });

  it('batches what comes during a batch into the next one', async () => {
    apply(...names(41).map(veth));
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: going, resolve: go } = Promise.withResolvers<void>();
    using watch = watchExchanges(async (requests, nth) => {
      start();
      if (nth === 1) await going;
      return requests;
    });
    const first = remove(['v40']);
    await started;
    const rest: Promise<unknown>[] = [];
    for (const name of names(40)) {
      rest.push(remove([name]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(left().length, 43);
    go();
    await first;
    await Promise.all(rest);
    assert.deepEqual(left(), ['br0', 'lo']);
    const [one, group, ...more] = deletions(watch.sent);
    assert.deepEqual(more, []);
    assert.equal(one?.attrs.group, undefined);
    const number = group?.attrs.group ?? 0;
    assert.ok(number >= 2 ** 24 && number < 2 ** 31, String(number));
    assert.equal(group?.header.index, 0);
  });

  it('treats a link that vanishes meanwhile as removed, and keeps its successor of the same name', async () => {
    apply(...names(6).map(veth));
    using watch = watchExchanges((requests) => {
      netns.ip('link', 'del', 'v0');
      netns.ip('link', 'add', 'v0', 'type', 'ifb');
      return Promise.resolve(requests);
    });
    const alone = await remover.remove({ name: 'v0', kind: 'veth' });
    assert.equal(alone, undefined);
    assert.deepEqual(left(), ['br0', 'lo', ...names(6)]);
    const errors = await Promise.all(names(4).map((name) => remover.remove({ name })));
    assert.deepEqual(new Set(errors), new Set([undefined]));
    assert.deepEqual(left(), ['br0', 'lo', 'v0', 'v4', 'v5']);
    assert.equal(links().get('v0')?.kind, 'ifb');
    assert.equal(deletions(watch.sent).length, 2);
  });

  it('deletes individually what remains after the group deletion', async () => {
    apply(...names(5).map(veth));
    using watch = watchExchanges((requests, nth) =>
      Promise.resolve(nth === 1 ? requests.filter(({ type }) => type !== RTM_DELLINK) : requests),
    );
    assert.deepEqual(new Set(await remove(names(4))), new Set([undefined]));
    assert.deepEqual(left(), ['br0', 'lo', 'v4']);
    assert.equal(deletions(watch.sent).length, 5);
  });

  it('sets ports down before they leave their bridge, and does neither for a lone link', async () => {
    apply(...names(3).map(veth));
    using watch = watchExchanges();
    await remove(['v0']);
    assert.deepEqual(
      watch.sent.flat().map(({ type }) => type),
      [RTM_DELLINK],
    );
    watch.sent.splice(0);
    await remove(['v1', 'v2']);
    const steps = (watch.sent[0] ?? []).map(({ payload }) => link.decode(payload));
    assert.deepEqual(
      steps.map((step) => [step?.header.change, step?.attrs.master, step?.attrs.group !== undefined]),
      [
        [1, undefined, false],
        [0, 0, true],
        [1, undefined, false],
        [0, 0, true],
        [0, undefined, true],
      ],
    );
  });

  it('accepts nothing after close, and finishes what it accepted', async () => {
    apply(...names(4).map(veth));
    const taken = names(3).map((name) => remover.remove({ name, kind: 'veth' }));
    remover[Symbol.dispose]();
    const refused = await remover.remove({ name: 'v3' });
    assert.equal(refused?.kind, 'internal');
    assert.deepEqual(new Set(await Promise.all(taken)), new Set([undefined]));
    assert.deepEqual(left(), ['br0', 'lo', 'v3']);
    remover[Symbol.dispose]();
  });

  it('reports that its namespace was closed', async () => {
    using closed = host.open(netns.path);
    closed[Symbol.dispose]();
    using late = new LinkRemover(closed);
    assert.match(String(await late.remove({ name: 'br0' })), /used after it had been closed/);
    assert.deepEqual(left(), ['br0', 'lo']);
  });

  it('removes exactly the requested links for any waves of requests, with links created between', async function () {
    this.timeout(120_000);
    const request = fc.record({ link: fc.nat(29), kind: fc.constantFrom('right', 'none') });
    const wave = fc.record({
      requests: fc.array(request, { maxLength: 25 }),
      conflicts: fc.array(fc.nat(3), { maxLength: 3 }),
      turns: fc.nat(40),
      made: fc.array(fc.nat(29), { maxLength: 4 }),
    });
    const kinds = (i: number): Op =>
      i % 5 === 0 ? { op: 'link.create', ns: 'host', name: `l${i}`, link: { kind: 'ifb' } } : veth(`l${i}`);
    const kindOf = (i: number): string => (i % 5 === 0 ? 'ifb' : 'veth');
    apply(...names(4, 'keep').map(veth));
    const kept = names(4, 'keep').map((name) => links().get(name));
    const property = fc.asyncProperty(fc.array(wave, { minLength: 1, maxLength: 6 }), async (waves) => {
      const present = new Set(left());
      apply(...Array.from({ length: 20 }, (_, i) => i).flatMap((i) => (present.has(`l${i}`) ? [] : [kinds(i)])));
      const asked = new Map<number, number>();
      const problems: string[] = [];
      const removals: Promise<void>[] = [];
      const ask = async (i: number, kind: { readonly kind?: string }): Promise<void> => {
        asked.set(i, (asked.get(i) ?? 0) + 1);
        const error = await remover.remove({ name: `l${i}`, ...kind });
        asked.set(i, (asked.get(i) ?? 0) - 1);
        if (error !== undefined || readLink(ns, `l${i}`) !== undefined) problems.push(`l${i}: ${error}`);
      };
      const askWrongly = async (i: number): Promise<void> => {
        const error = await remover.remove({ name: `keep${i}`, kind: 'ifb' });
        if (error?.kind !== 'conflict') problems.push(`keep${i}: ${error}`);
      };
      for (const { requests, conflicts, turns, made } of waves) {
        removals.push(...requests.map(({ link: i, kind }) => ask(i, kind === 'none' ? {} : { kind: kindOf(i) })));
        removals.push(...conflicts.map(askWrongly));
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        // A name that nobody has asked for, or whose removals have all been answered, may be used anew.
        for (const i of made) if (!asked.get(i) && readLink(ns, `l${i}`) === undefined) apply(kinds(i));
      }
      await Promise.all(removals);
      assert.deepEqual(problems, []);
      const after = links();
      assert.deepEqual(
        names(4, 'keep').map((name) => after.get(name)),
        kept,
      );
    });
    await fc.assert(property, { numRuns: 15 });
  });
});
