import { Secret } from '../model/secret.ts';
import * as is from '../store/shapes.ts';
import { parse } from './values.ts';

/**
 * What all keys of encrypted networks are derived from. Hosts send with `current`. They accept `previous` and `next` too,
 * since no two hosts learn of a new generation at the same moment.
 */
export interface Secrets {
  /** From 1. */
  readonly generation: number;
  /** When it began, in milliseconds since the epoch, by the clock of the host that began it. */
  readonly at: number;
  /** Absent in the first generation. */
  readonly previous?: Secret;
  readonly current: Secret;
  readonly next: Secret;
}

const BYTES = 32;
const secret: is.Shape = (value) => typeof value === 'string' && Buffer.from(value, 'base64').length === BYTES;
const shape = is.record({
  ...{ generation: is.positive, at: is.count, previous: is.optional(secret), current: secret, next: secret },
});

interface SecretsText {
  readonly generation: number;
  readonly at: number;
  readonly previous?: string;
  readonly current: string;
  readonly next: string;
}

/** Undefined for a malformed value. */
export function parseSecrets(text: string): Secrets | undefined {
  const found = parse<SecretsText>(text, shape);
  if (found === undefined) return undefined;
  const { generation, at, previous, current, next } = found;
  const of = (base64: string): Secret => new Secret(Buffer.from(base64, 'base64'));
  const before = previous === undefined ? {} : { previous: of(previous) };
  return { generation, at, ...before, current: of(current), next: of(next) };
}

/** With the secrets themselves: for the cluster's store and the kept copy. */
export function formatSecrets({ generation, at, previous, current, next }: Secrets): string {
  const text = (one: Secret): string => Buffer.from(one.reveal()).toString('base64');
  const before = previous === undefined ? {} : { previous: text(previous) };
  return JSON.stringify({ generation, at, ...before, current: text(current), next: text(next) });
}

export function firstSecrets(at: number): Secrets {
  return { generation: 1, at, current: newSecret(), next: newSecret() };
}

/** The next generation: what was `next` is `current`. */
export function rotated({ generation, current, next }: Secrets, at: number): Secrets {
  return { generation: generation + 1, at, previous: current, current: next, next: newSecret() };
}

function newSecret(): Secret {
  return new Secret(process.getBuiltinModule('node:crypto').randomBytes(BYTES));
}

/** A host as a key depends on it: with another address, or after a reboot, it has other keys. */
export interface KeyEnd {
  readonly host: string;
  readonly address: string;
  /** `HostRecord.esp`. */
  readonly salt: string;
}

/** SPIs below are reserved (RFC 4303, section 2.1). */
const FIRST_SPI = 256;

/**
 * SPI and key of what one host sends another, so that no two directions and no two beginnings of one share a key: AES-GCM
 * must not use one for two packets of the same number. 16 bytes of key, 4 of salt and 4 of SPI, by HKDF (RFC 5869).
 */
export function keyOf(secret: Secret, from: KeyEnd, to: KeyEnd): { readonly spi: number; readonly key: Secret } {
  const ends = [from, to].flatMap(({ host, address, salt }) => [host, address, salt]);
  const info = JSON.stringify(['isthmus esp 1', ...ends]);
  const { hkdfSync } = process.getBuiltinModule('node:crypto');
  const bytes = Buffer.from(hkdfSync('sha256', secret.reveal(), new Uint8Array(), info, 24));
  const spi = FIRST_SPI + (bytes.readUInt32BE(20) % (2 ** 32 - FIRST_SPI));
  return { spi, key: new Secret(bytes.subarray(0, 20)) };
}
