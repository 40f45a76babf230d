import { strict as assert } from 'node:assert';
import { type Cell, differences, foldLines, labelOf, type Matrix, NO, tableOf } from './matrix.ts';
import { expectedOf, isOurs, type Surroundings } from './matrix-expected.ts';
import type { ReachSite } from './matrix-site.ts';

/** `ISTHMUS_REACH`: `all` runs every variant, `print` prints the whole matrix of each; `all,print` does both. */
const CHOSEN = (process.env.ISTHMUS_REACH ?? '').split(',');
export const ALL = CHOSEN.includes('all');
const PRINT = CHOSEN.includes('print');

const isForeign = ({ from, to }: Cell): boolean => !isOurs(from) && !isOurs(to);

const OURS: Readonly<Record<string, (cell: Cell) => boolean>> = {
  'ours reach others': ({ from, to }) => isOurs(from) && !isOurs(to),
  'others reach ours': ({ from, to }) => !isOurs(from) && isOurs(to),
  'ours reach ours': ({ from, to }) => isOurs(from) && isOurs(to),
};

/** The matrix of ends that are not ours. */
export async function measureForeign(site: ReachSite, title: string): Promise<Matrix> {
  const [cells, matrix] = await site.measure(isForeign);
  print(title, cells, matrix);
  return matrix;
}

/** Tests of one measurement with our networks; the enclosing block's hooks have made them. */
export function testReach(title: string, made: () => { site: ReachSite; surroundings: Surroundings }): void {
  let cells: readonly Cell[];
  let expected: (cell: Cell) => string;
  let withUs: Matrix;

  before('the matrix with our networks', async () => {
    const { site, surroundings } = made();
    const ours = expectedOf(surroundings);
    expected = (cell) => (isForeign(cell) ? (surroundings.before.get(labelOf(cell)) ?? NO) : ours(cell));
    await settle(site, expected);
    [cells, withUs] = await site.measure(() => true, expected);
    print(title, cells, withUs);
  });

  afterEach('rules, and logs of the daemons', function () {
    if (this.currentTest?.state !== 'failed') return;
    console.log(made().site.host.run('sh', '-c', 'iptables-save -t filter; ip6tables-save -t filter'));
    if (PRINT) console.log(made().site.host.logs());
  });

  it('opens nothing and closes nothing between others', () => {
    assertSameMatrix(made().surroundings.before, withUs, ['before', 'with us']);
  });

  for (const [direction, chosen] of Object.entries(OURS)) {
    it(`${direction} as docs/firewall.md says`, () => {
      const wanted = cells.filter(chosen).map((cell) => [labelOf(cell), expected(cell)] as const);
      assertSameMatrix(new Map(wanted), withUs, ['expected', 'with us']);
    });
  }
}

/** Milliseconds within which the daemon mends what others have just broken. */
const MENDING = 4_000;

/** The way out of ours is as expected: what our daemon mends has been mended. Gives up where it never is. */
async function settle(site: ReachSite, expected: (cell: Cell) => string): Promise<void> {
  const end = Date.now() + MENDING;
  let isSettled = false;
  while (!isSettled && Date.now() < end) {
    const [cells, matrix] = await site.measure(({ from, to }) => isOurs(from) && to.kind === 'outside', expected);
    isSettled = cells.every((cell) => matrix.get(labelOf(cell)) === expected(cell));
  }
}

/** Fails with a line for each cell that differs; ends alike share a line. */
function assertSameMatrix(wanted: Matrix, is: Matrix, words: readonly [string, string]): void {
  assert.ok(wanted.size > 0, 'nothing was measured');
  const lines = foldLines(differences(wanted, is, words));
  if (lines.length > 0) assert.fail(`${lines.length} differences:\n${lines.join('\n')}`);
}

/** Fails unless the pair's answers by these protocols, IPv4 and IPv6, are the one given. */
export function assertAnswers(matrix: Matrix, label: string, answer: string, kinds = KINDS): void {
  for (const kind of kinds) assert.equal(matrix.get(label.replace('*', kind)), answer, label.replace('*', kind));
}

const KINDS: readonly string[] = ['tcp4', 'tcp6', 'udp4', 'udp6'];

function print(title: string, cells: readonly Cell[], matrix: Matrix): void {
  if (PRINT) console.log(`--- ${title}: ${cells.length} cells\n${tableOf(cells, matrix)}`);
}
