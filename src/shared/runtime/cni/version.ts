import { textField } from '../../config/fields.ts';
import { parseConfig } from './request.ts';
import { NEWEST, SUPPORTED } from './versions.ts';

/** Answers VERSION (SPEC.md §5) in the version of the request; the newest if the request names none. */
export function versionAnswer(text: string): { cniVersion: string; supportedVersions: readonly string[] } {
  return { cniVersion: askedVersion(text) ?? NEWEST, supportedVersions: SUPPORTED };
}

function askedVersion(text: string): string | undefined {
  try {
    return textField(parseConfig(text), 'cniVersion');
  } catch {
    return undefined;
  }
}
