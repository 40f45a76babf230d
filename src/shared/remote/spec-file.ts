import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, parseJson } from '../model/json.ts';
import { show } from './failures.ts';
import { type Place, parsePlace, type TlsOptions } from './place.ts';

const LARGEST = 1 << 20;
const FORMS = 'Write unix:///path.sock, tcp://host:port or https://host:port';

/** Reads a `.spec` file: one address. Throws NetError `invalid-config` that names the file and what is wrong. */
export async function readSpec(file: string): Promise<Place> {
  const text = (await contents(file)).trim();
  const found = parsePlace(text);
  if (found === undefined) throw wrong(file, `has ${show(text)}, which is not an address of a plugin`, FORMS);
  return found.secure && found.place.kind === 'tcp' ? { ...found.place, tls: { insecure: true } } : found.place;
}

/**
 * Reads a `.json` file: `{"Addr": …, "TLSConfig": {"CAFile", "CertFile", "KeyFile", "ServerName",
 * "InsecureSkipVerify"}}`. As in moby, its Name does not count, and without CAFile any certificate will do.
 * Throws NetError `invalid-config` that names the file and what is wrong.
 */
export async function readJsonSpec(file: string): Promise<Place> {
  const value = parse(file, await contents(file));
  const address = textIn(file, value, 'Addr', '');
  if (address === undefined) throw wrong(file, 'has no Addr', FORMS);
  const found = parsePlace(address);
  if (found === undefined) throw wrong(file, `has Addr=${show(address)}, which is not an address of a plugin`, FORMS);
  const { place, secure } = found;
  const tls = await tlsOf(file, field(value, 'TLSConfig'));
  if (secure && place.kind === 'tcp') return { ...place, tls: tls ?? { insecure: true } };
  // moby would speak without TLS, and nobody would notice.
  if (tls?.ca !== undefined || tls?.cert !== undefined)
    throw wrong(file, `has files in TLSConfig, but Addr=${show(address)} is without TLS`, 'Write Addr as https://');
  return place;
}

async function tlsOf(file: string, config: unknown): Promise<TlsOptions | undefined> {
  if (config === undefined) return undefined;
  if (!isObject(config)) throw wrong(file, 'has a TLSConfig that is not an object', 'Write it as an object');
  const skips = field(config, 'InsecureSkipVerify') ?? false;
  if (typeof skips !== 'boolean')
    throw wrong(file, `has TLSConfig.InsecureSkipVerify=${show(skips)}`, 'Write true or false');
  const [ca, cert, key] = await Promise.all(
    ['CAFile', 'CertFile', 'KeyFile'].map((name) => fileOf(file, name, textIn(file, config, name, 'TLSConfig.'))),
  );
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'CertFile' : 'KeyFile';
    throw wrong(file, `has no TLSConfig.${missing}`, 'Name both CertFile and KeyFile, or neither');
  }
  const serverName = textIn(file, config, 'ServerName', 'TLSConfig.');
  return { ...given({ ca, cert, key, serverName }), insecure: skips || ca === undefined };
}

async function fileOf(file: string, key: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  if (!isAbsolute(path)) throw wrong(file, `has TLSConfig.${key}=${show(path)}`, 'Write an absolute path');
  const text = await contents(path, `${file} names it as TLSConfig.${key}`);
  const block = key === 'KeyFile' ? /-----BEGIN [A-Z ]*PRIVATE KEY-----/ : /-----BEGIN CERTIFICATE-----/;
  if (!block.test(text))
    throw wrong(path, 'has no PEM block of the kind needed', `${file} names it as TLSConfig.${key}`);
  return text;
}

function textIn(file: string, value: unknown, key: string, path: string): string | undefined {
  const text = field(value, key);
  if (text === undefined || text === '') return undefined;
  if (typeof text !== 'string') throw wrong(file, `has ${path}${key}=${show(text)}`, 'Write a text');
  return text;
}

function parse(file: string, text: string): unknown {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw wrong(file, `is not JSON: ${asNetError(error, 'plugin').what}`, 'Write {"Addr": "unix:///path.sock"}', error);
  }
  if (!isObject(value)) throw wrong(file, 'is not a JSON object', 'Write {"Addr": "unix:///path.sock"}');
  return value;
}

async function contents(file: string, hint = 'Make it readable, or remove it'): Promise<string> {
  try {
    // A FIFO would wait for a writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const state = await handle.stat();
    if (!state.isFile()) throw wrong(file, 'is not a regular file', hint);
    if (state.size > LARGEST) throw wrong(file, `has more than ${LARGEST} bytes`, hint);
    return await handle.readFile('utf8');
  } catch (error) {
    const { kind, what } = asNetError(error, 'plugin');
    throw kind === 'invalid-config' ? error : wrong(file, `cannot be read: ${what}`, hint, error);
  }
}

function wrong(file: string, what: string, hint: string, cause?: unknown): NetError {
  return fault.invalidConfig('plugin', `file ${file}`, what, hint, { cause });
}
