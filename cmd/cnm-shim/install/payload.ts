import { getRawAsset, isSea } from 'node:sea';
import { brotliDecompressSync } from 'node:zlib';
import { fault } from '../../../src/shared/errors/fault.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import { type Payload, UNIT_NAMES } from './items.ts';

/** Returns what the build has put inside this executable. Throws NetError `unsupported` in any other process. */
export function readPayload(): Payload {
  if (!isSea()) {
    const hint = 'Run: npm run build && dist/cnm-shim install';
    throw fault.unsupported('install', process.execPath, 'only the built executable contains what it installs', hint);
  }
  return {
    executable: process.execPath,
    version: PROGRAM_VERSION,
    licences: brotliDecompressSync(asset('licences')),
    launcher: asset('launcher'),
    network: asset('network'),
    units: Object.fromEntries(UNIT_NAMES.map((name) => [name, asset(name)])),
  };
}

function asset(name: string): Uint8Array {
  return new Uint8Array(getRawAsset(name));
}
