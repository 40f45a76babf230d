import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { environmentOf, referenceDir } from '../support/cni.ts';
import { type ReferenceVersion, readDifferences } from '../support/differences.ts';
import { skipIf } from '../support/skip.ts';

type Arm<A extends unknown[]> = (...args: A) => void | Promise<void>;

/** What shows the reference's behaviour: one arm where docs/differences.md says the same of both releases. */
export type Arms<A extends unknown[]> = Arm<A> | Readonly<Record<ReferenceVersion, Arm<A>>>;

export interface Comparison {
  /** What the kernel lacks for these tests, which are skipped then. */
  readonly lacks?: () => string | undefined;
  readonly reference: Arms<[]>;
  /** The right behaviour, by the name of what is called. */
  readonly ours: Readonly<Record<string, Arm<[]>>>;
}

/**
 * Defines the tests of `what`, a part of row `id` of docs/differences.md, with the row's words in their titles: one of
 * the release that is installed, and those of this plugin. test/unit/docs.test.ts compares the calls with the page.
 */
export function unlikeReference(id: string, what: string, { lacks, reference, ours }: Comparison): void {
  const row = readDifferences().find((one) => one.id === id);
  if (row === undefined) throw new Error(`docs/differences.md has no row ${id}`);
  describe(`unlike the reference: ${id}, ${what}`, function () {
    this.timeout(180_000);
    const version = referenceVersion();
    if (lacks !== undefined)
      before(function () {
        skipIf(this, lacks());
      });
    it(`the reference ${version}: ${row.reference[version]}`, () => armOf(reference)());
    for (const [name, test] of Object.entries(ours)) it(`${name}: ${row.ours}`, () => test());
  });
}

/** The arm of the installed release. */
export function armOf<A extends unknown[]>(arms: Arms<A>): Arm<A> {
  return typeof arms === 'function' ? arms : arms[referenceVersion()];
}

let known: ReferenceVersion | undefined;

/** The installed release, as its protocol versions tell: a build does not know its own. */
export function referenceVersion(): ReferenceVersion {
  known ??= knowsCni11() ? '1.9.1' : '1.1.1';
  return known;
}

function knowsCni11(): boolean {
  const env = environmentOf({ dir: referenceDir, name: 'bridge', command: 'VERSION' });
  const { stdout } = spawnSync(join(referenceDir, 'bridge'), {
    env,
    input: '{"cniVersion":"1.0.0"}',
    encoding: 'utf8',
  });
  return /"supportedVersions":\[.*"1\.1\.0"/.test(stdout ?? '');
}
