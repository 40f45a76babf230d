import { strict as assert } from 'node:assert';
import { dockerMissing } from '../support/docker.ts';
import { type Cell, differences, foldLines, labelOf, type Matrix, NO, tableOf } from '../support/matrix.ts';
import { expectedOf, isOurs } from '../support/matrix-expected.ts';
import {
  type Backend,
  type DockerKinds,
  type ForwardPolicy,
  makeReachSite,
  type ReachSite,
} from '../support/matrix-site.ts';
import { skipIf } from '../support/skip.ts';

/** `all`: every variant. `print`, `all,print`: also the whole matrix of each. */
const CHOSEN = (process.env.ISTHMUS_REACH ?? '').split(',');
const ALL = CHOSEN.includes('all');
const PRINT = CHOSEN.includes('print');

interface Round {
  readonly policy: ForwardPolicy;
  readonly backends: readonly Backend[];
}

interface Setup {
  readonly title: string;
  readonly docker: DockerKinds;
  readonly rounds: readonly Round[];
}

const BACKENDS = ['nftables', 'iptables'] as const;
const EVERYTHING: readonly Round[] = (['ACCEPT', 'DROP'] as const).map((policy) => ({ policy, backends: BACKENDS }));

const SETUPS: readonly Setup[] = [
  {
    title: 'dockerd',
    docker: {},
    rounds: ALL
      ? EVERYTHING
      : [
          { policy: 'ACCEPT', backends: ['nftables'] },
          { policy: 'DROP', backends: ['iptables'] },
        ],
  },
  ...(ALL
    ? [
        { title: 'dockerd without userland proxy', docker: { proxy: false }, rounds: EVERYTHING },
        { title: 'dockerd that does not filter IPv6', docker: { filters6: false }, rounds: EVERYTHING },
      ]
    : []),
];

const isForeign = ({ from, to }: Cell): boolean => !isOurs(from) && !isOurs(to);

const DIRECTIONS: Readonly<Record<string, (cell: Cell) => boolean>> = {
  'ours reach others': ({ from, to }) => isOurs(from) && !isOurs(to),
  'others reach ours': ({ from, to }) => !isOurs(from) && isOurs(to),
  'ours reach ours': ({ from, to }) => isOurs(from) && isOurs(to),
};

for (const { title, docker, rounds } of SETUPS) {
  describe(`who reaches whom, beside ${title}, libvirt's bridges and plain ones`, function () {
    this.timeout(180_000);
    let site: ReachSite;

    before('foreign ends', async function () {
      skipIf(this, dockerMissing());
      site = await makeReachSite();
      await site.startDocker(docker);
      await site.addBridges();
    });

    afterEach('logs of the daemons', function () {
      if (this.currentTest?.state === 'failed' && PRINT) console.log(site.host.logs());
    });

    after('the test host', () => site?.[Symbol.asyncDispose]());

    for (const { policy, backends } of rounds) {
      describe(`FORWARD policy ${policy}`, () => {
        let without: Matrix;

        before('the matrix without our networks', async () => {
          site.forward(policy);
          without = await print(`without us, ${policy}`, await site.measure(isForeign));
        });

        it('precondition: ports that are published are reached, internal and isolated networks are not', () => {
          const answers = (label: string): (string | undefined)[] =>
            ['tcp4', 'tcp6', 'udp4', 'udp6'].map((kind) => without.get(label.replace('*', kind)));
          const is = (answer: string): string[] => [answer, answer, answer, answer];
          assert.deepEqual(answers('outside → u1 * published'), is('yes (outside)'));
          assert.deepEqual(answers('u1 → outside * unpublished'), is('yes (host:up0)'));
          assert.deepEqual(answers('p1 → p2 * unpublished'), is(policy === 'ACCEPT' ? 'yes (p1)' : NO));
          for (const pair of ['u1 → u2', 'u1 → int', 'u1 → vmiso', 'vmiso → u1', 'int → p1'])
            assert.deepEqual(answers(`${pair} * unpublished`), is(NO), pair);
        });

        for (const backend of backends) {
          describe(`with networks of ours (${backend})`, () => {
            let cells: readonly Cell[];
            let withUs: Matrix;
            let expected: (cell: Cell) => string | undefined;

            before('the matrix with our networks', async () => {
              await site.addOurs(backend);
              const ours = expectedOf({ policy, backend, before: without, ...docker });
              expected = (cell) => (isForeign(cell) ? without.get(labelOf(cell)) : ours(cell));
              const measured = await site.measure(() => true, expected);
              [cells] = measured;
              withUs = print(`with us, ${policy}, ${backend}`, measured);
            });

            after('no network of ours', () => site.removeOurs());

            it('opens nothing and closes nothing between others', () => {
              assertSameMatrix(without, withUs, ['before', 'with us']);
            });

            for (const [direction, chosen] of Object.entries(DIRECTIONS)) {
              it(`${direction} as docs/firewall.md says`, () => {
                const wanted = cells.filter(chosen).map((cell) => [labelOf(cell), expected(cell) ?? ''] as const);
                assertSameMatrix(new Map(wanted), withUs, ['expected', 'with us']);
              });
            }
          });
        }
      });
    }
  });
}

/** Fails with a line for each cell that differs. */
function assertSameMatrix(wanted: Matrix, is: Matrix, words: readonly [string, string]): void {
  assert.ok(wanted.size > 0, 'nothing was measured');
  const lines = foldLines(differences(wanted, is, words));
  if (lines.length > 0) assert.fail(`${lines.length} differences:\n${lines.join('\n')}`);
}

function print(title: string, [cells, matrix]: [readonly Cell[], Matrix]): Matrix {
  if (PRINT) console.log(`--- ${title}: ${cells.length} cells\n${tableOf(cells, matrix)}`);
  return matrix;
}
