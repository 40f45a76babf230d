import { strict as assert } from 'node:assert';
import type { Namespace, View } from '../../src/shared/host/host.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { DELETIONS, EVERY_OP } from '../golden/ops.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const SYSCTLS = ['net/ipv4/ip_forward', 'net/ipv4/conf/eth0/arp_notify', 'net/ipv6/conf/eth0/accept_dad'];

/** What can be the same in two pairs of namespaces: no indexes, and only such MACs as were asked for. */
function comparable({ links, addresses, routes, rules, sysctls, shaping }: View): unknown {
  const plain = ({ index, linkIndex, linkNetnsId, mac, ...link }: LinkState): unknown => ({
    ...link,
    mac: /^(02:00|0a:58|fe:00)/.test(mac) ? mac : 'random',
  });
  return {
    links: [...links.values()].map(plain),
    addresses: addresses.filter(({ scope }) => scope !== 'link'),
    // Those to fe80::/64 come in the order in which the links got their carrier.
    routes: routes.filter(({ dst }) => dst !== 'fe80::/64'),
    rules,
    sysctls: [...sysctls],
    shaping: [...shaping],
  };
}

/** Forwarding entries that somebody asked for: the kernel's own have neither a remote end nor are they static. */
function entries(ns: TestNetns): string[] {
  const lines = ns.run('bridge', 'fdb', 'show').split('\n');
  return lines.filter((line) => /static|dst/.test(line)).sort();
}

function neighbours(ns: TestNetns): string[] {
  return ns.ip('neigh', 'show', 'nud', 'permanent').split('\n').sort();
}

describe('the rendered command of an Op', () => {
  let host: LinuxHost;
  const made: TestNetns[] = [];
  const opened: Namespace[] = [];

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost();
  });
  after(() => {
    for (const each of [...opened, ...made]) each[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  function pair(): {
    readonly outside: TestNetns;
    readonly inside: TestNetns;
    readonly namespaces: { host: Namespace; sandbox: Namespace };
  } {
    const [outside, inside] = [makeNetns('a'), makeNetns('b')];
    made.push(outside, inside);
    const namespaces = { host: host.open(outside.path), sandbox: host.open(inside.path) };
    opened.push(namespaces.host, namespaces.sandbox);
    return { outside, inside, namespaces };
  }

  function state(ns: Namespace): unknown {
    const shaping = ['veth0', 'eth0', 'ifb0'];
    return comparable(
      host.observe(ns, {
        links: 'all',
        addresses: 'all',
        routes: true,
        rules: true,
        sysctls: SYSCTLS,
        shaping,
        transforms: true,
      }),
    );
  }

  it('has the effect of the Op', () => {
    const ours = pair();
    const theirs = pair();
    const run = (op: Op): string =>
      theirs.outside.run('sh', '-c', renderOp(op, { sandbox: theirs.inside.name, host: theirs.outside.name }));
    for (const ops of [EVERY_OP, DELETIONS]) {
      host.apply(ops, ours.namespaces);
      for (const op of ops) run(op);
      assert.deepEqual(state(ours.namespaces.host), state(theirs.namespaces.host));
      assert.deepEqual(state(ours.namespaces.sandbox), state(theirs.namespaces.sandbox));
      assert.deepEqual(entries(ours.outside), entries(theirs.outside));
      assert.deepEqual(neighbours(ours.outside), neighbours(theirs.outside));
    }
  });
});
