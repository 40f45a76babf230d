import manifest from '../../../package.json' with { type: 'json' };

/** build/build.ts puts it in place; the sources as they are do not have it. */
declare const REVISION_OF_BUILD: string | undefined;

/** What this program was built from: see build/revision.ts. Undefined if it runs from its sources. */
export const REVISION = typeof REVISION_OF_BUILD === 'string' ? REVISION_OF_BUILD : undefined;

/** A semantic version, with the revision as its build metadata: `0.1.0+5c6b227c8014`. Two builds of a version differ. */
export const PROGRAM_VERSION = REVISION === undefined ? manifest.version : `${manifest.version}+${REVISION}`;
