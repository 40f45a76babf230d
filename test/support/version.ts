import manifest from '../../package.json' with { type: 'json' };

/** A revision of build/revision.ts, behind the version that it belongs to. */
const REVISION = /\+([0-9a-f]{7,40}(\.dirty\.[0-9a-f]{8})?|source\.[0-9a-f]{8})(?![\w.])/;

/** True for the version of an executable that was built from these sources. */
export function isBuiltVersion(text: string): boolean {
  return REVISION.test(text) && text.replace(REVISION, '') === manifest.version;
}

/** The same text without revisions: they differ from build to build. */
export function withoutRevisions(text: string): string {
  return text.replaceAll(new RegExp(REVISION, 'g'), '');
}
