import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { given } from '../model/given.ts';
import { field, textField } from '../model/json.ts';
import { invalid } from './invalid.ts';
import { LIMITS } from './limits.ts';

/** resolv.conf(5), in the form of a CNI result. Omits empty lists. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** Returns the `dns` object of a configuration of valid shape. */
export function readDns(value: unknown): Dns {
  const texts = (key: string): string[] => {
    const found = field(value, key);
    return Array.isArray(found) ? found.filter((item) => typeof item === 'string') : [];
  };
  return makeDns(texts('nameservers'), textField(value, 'domain'), texts('search'), texts('options'));
}

/** Where systemd-resolved writes the servers that its stub asks. */
const RESOLVED = '/run/systemd/resolve/resolv.conf';
/** systemd-resolved's stub, which answers only on the host (systemd-resolved.service(8)). */
const STUBS: readonly string[] = ['127.0.0.53', '127.0.0.54'];

/**
 * Parses a file in the form of resolv.conf(5), without systemd-resolved's stub, which no other network namespace
 * reaches. If the stub is the only server, returns what the file `resolved` says, if there is one.
 * Throws NetError `invalid-config` if a file cannot be read.
 */
export function readResolvConf(file: string, path: string, resolved = RESOLVED): Dns {
  const dns = readDnsFile(file, path);
  const nameservers = dns.nameservers?.filter((server) => !STUBS.includes(server)) ?? [];
  if (nameservers.length === (dns.nameservers?.length ?? 0)) return dns;
  if (nameservers.length > 0) return { ...dns, nameservers };
  return existsSync(resolved) ? readDnsFile(resolved, path) : dns;
}

function readDnsFile(file: string, path: string): Dns {
  let text: string;
  try {
    text = readBounded(file, LIMITS.resolvConf);
  } catch (error) {
    const what = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw invalid(path, file, what, 'Name a file in the form of resolv.conf(5), or leave it out');
  }
  return parseResolvConf(text);
}

/**
 * Reads a regular file of at most `limit` bytes. Never waits: opens no device, and no pipe to its end. Throws Error if
 * the path is something else, or the file is larger.
 */
export function readBounded(file: string, limit: number): string {
  return readBoundedBytes(file, limit).toString();
}

/** As `readBounded`. */
export function readBoundedBytes(file: string, limit: number): Buffer {
  const regular = (isFile: boolean): void => {
    if (!isFile) throw new Error('it is not a regular file');
  };
  regular(statSync(file).isFile());
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    regular(fstatSync(fd).isFile());
    const bytes = Buffer.alloc(limit + 1);
    let length = 0;
    for (let more = 1; more > 0 && length < bytes.length; length += more)
      more = readSync(fd, bytes, length, bytes.length - length, null);
    if (length > limit) throw new Error(`it has more than ${limit} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** `nameserver`, `search` and `options` accumulate, the last `domain` wins; ignores other lines. */
export function parseResolvConf(text: string): Dns {
  const nameservers: string[] = [];
  const search: string[] = [];
  const options: string[] = [];
  let domain: string | undefined;
  for (const line of text.split('\n')) {
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (first === undefined) continue;
    if (keyword === 'nameserver') nameservers.push(first);
    else if (keyword === 'domain') domain = first;
    else if (keyword === 'search') search.push(...values);
    else if (keyword === 'options') options.push(...values);
  }
  return makeDns(nameservers, domain, search, options);
}

function makeDns(
  nameservers: readonly string[],
  domain: string | undefined,
  search: readonly string[],
  options: readonly string[],
): Dns {
  return {
    ...(nameservers.length > 0 ? { nameservers } : {}),
    ...given({ domain }),
    ...(search.length > 0 ? { search } : {}),
    ...(options.length > 0 ? { options } : {}),
  };
}
