import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { hostKey } from '../../src/shared/cluster/keys.ts';
import { formatAddress, formatHolder } from '../../src/shared/cluster/values.ts';
import { networkRequest } from '../support/cluster-machine.ts';
import { hostRecord, type KernelLab, makeKernelLab } from '../support/kernel-lab.ts';

/** What hosts write in one commit, and what this host holds of it; they share few addresses, MACs and hosts, so that these collide. */
type Write =
  | { readonly kind: 'address'; readonly rest: string; readonly host: string; readonly mac: string }
  | { readonly kind: 'range'; readonly rest: string; readonly host: string }
  | { readonly kind: 'host'; readonly host: string; readonly at: number }
  | { readonly kind: 'gone'; readonly rest: string }
  /** This host claims the address, and uses it. */
  | { readonly kind: 'hold'; readonly rest: string; readonly mac: string }
  /** It uses it no more; whether the store hears of it is another matter. */
  | { readonly kind: 'release'; readonly rest: string }
  | { readonly kind: 'forget'; readonly host: string };

const small = fc.integer({ min: 1, max: 6 });
const hex = (n: number): string => n.toString(16).padStart(2, '0');
/** Also this host's own, `a`: an address may come here, or leave. */
const SELF = `00000000-0000-4000-8000-a${'0'.repeat(11)}`;
const host = small.map((n) => (n === 6 ? SELF : `host-${n}`));
const mac = small.map((n) => `0a:58:0a:58:00:${hex(n)}`);
const address = fc
  .tuple(small, fc.boolean())
  .map(([n, six]) => (six ? `fd000088${'0'.repeat(22)}${hex(n)}` : `0a5800${hex(n)}`));
const range = small.map((n) => `0a58${hex(n)}00-24`);
const others: readonly fc.Arbitrary<Write>[] = [
  fc.record({ kind: fc.constant('host' as const), host, at: small }),
  fc.record({ kind: fc.constant('forget' as const), host }),
];
const sharedWrite: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...{ kind: fc.constant('address' as const), rest: address, host, mac },
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const), rest: address, mac }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), rest: address }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('gone' as const), rest: address }) },
  ...others,
);
const routedWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('range' as const), rest: range, host }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('gone' as const), rest: range }) },
  ...others,
);
/** Commits, several of which may come before the kernel is told. */
const course = (write: fc.Arbitrary<Write>) =>
  fc.array(fc.record({ writes: fc.array(write, { minLength: 1, maxLength: 3 }), follows: fc.boolean() }), {
    maxLength: 25,
  });

async function commit(lab: KernelLab, writes: readonly Write[]): Promise<void> {
  const put: Record<string, string> = {};
  const gone = new Set<string>();
  for (const write of writes) {
    const key = 'rest' in write ? `${kindOf(write.rest)}/${lab.network}/${write.rest}` : hostKey(write.host);
    if (key in put || gone.has(key)) continue;
    if (write.kind === 'release') lab.release([key]);
    else if (write.kind === 'host') Object.assign(put, hostRecord(write.host, `192.0.2.${100 + write.at}`));
    else if (write.kind === 'address' || write.kind === 'hold') {
      const owner = write.kind === 'hold' ? SELF : write.host;
      put[key] = formatAddress({ host: owner, mac: write.mac, endpoint: write.mac, bootId: 'b', claim: 'c' });
      if (write.kind === 'hold') lab.hold({ [key]: put[key] });
    } else if (write.kind === 'range') put[key] = formatHolder({ host: write.host, name: write.host, claim: 'c' });
    else gone.add(key);
  }
  await lab.write(put, [...gone]);
}

/** Ranges have a length. */
const kindOf = (rest: string): 'a' | 'r' => (rest.includes('-') ? 'r' : 'a');

describe('property: changes of entries of other hosts', function () {
  this.timeout(120_000);
  const flood = { flood: true, hostAddress: false, internal: false, encrypted: false };
  const sets = { subnets: ['10.88.0.0/24', 'fd00:88::/64'] };
  for (const [name, request, write] of [
    ['bridged', networkRequest('web', sets), sharedWrite],
    ['flooded', networkRequest('web', { ...sets, options: flood }), sharedWrite],
    ['routed', networkRequest('web', { subnets: ['10.88.0.0/16'], mode: 'per-host', hostLength4: 24 }), routedWrite],
  ] as const)
    it(`on a ${name} network lead to the tables that a comparison would make`, async () => {
      await fc.assert(
        fc.asyncProperty(course(write), async (steps) => {
          using lab = await makeKernelLab(request);
          for (const { writes, follows } of [...steps, { writes: [], follows: true }]) {
            if (writes.length > 0) await commit(lab, writes);
            if (!follows) continue;
            lab.follow();
            lab.look();
            assert.deepEqual(lab.lack(), []);
          }
        }),
        { numRuns: 100 },
      );
    });
});
