import { readPage, tableRows } from './docs.ts';

/** The releases of the reference plugins that docs/differences.md compares with. */
export const REFERENCE_VERSIONS = ['1.1.1', '1.9.1'] as const;
export type ReferenceVersion = (typeof REFERENCE_VERSIONS)[number];

/** A row of docs/differences.md. */
export interface Difference {
  /** `D1`, …: the titles of its tests have it. */
  readonly id: string;
  /** The behaviour of this plugin. */
  readonly ours: string;
  /** The behaviour of each release; one text for both if the page says "the same". */
  readonly reference: Readonly<Record<ReferenceVersion, string>>;
}

/** Returns the rows in order. */
export function readDifferences(): Difference[] {
  return tableRows(readPage('docs/differences.md'), '#').map(([id = '', ours = '', older = '', newer = '']) => ({
    id,
    ours,
    reference: { '1.1.1': older, '1.9.1': newer === 'the same' ? older : newer },
  }));
}
