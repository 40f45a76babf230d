import { strict as assert } from 'node:assert';
import { startChild } from '../support/children.ts';
import { ruleset } from '../support/filter-tools.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';

const PROCESSES = 4;

describe('firewallers in several processes on one host', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const [kind, rounds] of [
    ['libnftables', 60],
    ['nft', 20],
    ['iptables-nft', 8],
    ['iptables-legacy', 8],
  ] as const) {
    it(`${kind}: each keeps what it adds while others delete the last of theirs`, async function () {
      this.timeout(60_000);
      using ns = makeNetns('many-');
      using temp = makeTempDir();
      const variant = kind === 'iptables-legacy' ? 'legacy' : 'nft';
      for (const command of ['iptables', 'ip6tables']) ns.run(`${command}-${variant}`, '-P', 'FORWARD', 'DROP');
      const before = ruleset(ns);
      const children = Array.from({ length: PROCESSES }, (_, i) =>
        startChild('firewaller-child.ts', ns.path, kind, String(i + 1), String(rounds), temp.path),
      );
      const ends = await Promise.all(children.map(({ end }) => end));
      assert.deepEqual(
        children.flatMap(({ lines }) => lines),
        [],
      );
      assert.deepEqual(ends, Array(PROCESSES).fill(0));
      assert.equal(ruleset(ns), before);
    });
  }
});
