import { fault } from '../errors/fault.ts';

/** Released versions of the CNI specification, oldest first. */
export const SUPPORTED = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED)[number];
export const NEWEST: CniVersion = '1.1.0';

/** The version of a configuration without `cniVersion`. */
export const UNSAID_VERSION: CniVersion = '0.1.0';

export function isSupported(version: unknown): version is CniVersion {
  return SUPPORTED.some((known) => known === version);
}

export function atLeast(version: CniVersion, least: CniVersion): boolean {
  return SUPPORTED.indexOf(version) >= SUPPORTED.indexOf(least);
}

/** Returns the version that a configuration requests. Throws NetError `incompatible-version` for an unreleased one. */
export function parseVersion(value: unknown): CniVersion {
  if (value === undefined || value === null || value === '') return UNSAID_VERSION;
  if (isSupported(value)) return value;
  throw fault.incompatibleVersion(
    'config',
    `.cniVersion=${JSON.stringify(value)}`,
    `is not one of ${SUPPORTED.join(', ')}`,
    'Set cniVersion to one of these',
  );
}
