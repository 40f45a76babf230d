import { versionIn } from '../../config/document.ts';
import { NEWEST, SUPPORTED } from '../../config/versions.ts';

/** Answers VERSION (SPEC.md §5) in the version of the request; the newest if the request names none. */
export function versionAnswer(text: string): { cniVersion: string; supportedVersions: readonly string[] } {
  return { cniVersion: versionIn(text) ?? NEWEST, supportedVersions: SUPPORTED };
}
