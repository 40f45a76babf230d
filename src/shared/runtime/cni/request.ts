import { readFileSync } from 'node:fs';
import { field, isObject, type Json } from '../../config/fields.ts';
import type { RemovalRequest } from '../../core/requests.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { CallVariables, Environment } from '../environment.ts';
import type { PluginName } from './names.ts';
import { MAX_STDIN } from './protocol.ts';
import type { CniVersion } from './versions.ts';

/** One incoming call. */
export interface Call {
  readonly plugin: PluginName;
  readonly variables: CallVariables;
  /** The caller's environment, for delegates. */
  readonly env: Environment;
  /** Receives the delegates' stderr. */
  readonly stderr: (piece: Uint8Array) => void;
  /** Aborted when the caller disconnects. Absent if this process would die with the caller. */
  readonly gone?: () => AbortSignal;
  /** DelegateSurroundings.umask. */
  readonly umask?: () => number;
  /** The configuration as received, for delegates. */
  readonly text: string;
  readonly config: Json;
  /** Version of the answer. */
  readonly version: CniVersion;
  /** Of a DEL: deletes only what the call with this Core.stamp attached. */
  readonly stamp?: string;
}

const STDIN = 0;

/** RemovalRequest.when of a DEL that means one attachment, not whichever has its name by then. */
export function stampedBy({ stamp }: Call): RemovalRequest['when'] {
  return stamp === undefined ? undefined : (row) => row?.stamp === stamp;
}

/** Reads stdin. Throws NetError `io` if reading fails, `decode` if it is larger than 1 MiB. */
export function readInput(): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(STDIN);
  } catch (cause) {
    const what = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw fault.io('config', 'stdin', what, undefined, { cause });
  }
  if (bytes.length <= MAX_STDIN) return bytes.toString();
  throw fault.decode('config', 'stdin', `has ${bytes.length} bytes, ${MAX_STDIN} are the limit`);
}

/** Parses the configuration. Throws NetError `decode` unless it is a JSON object. */
export function parseConfig(text: string): Json {
  if (text.trim() === '') {
    throw decodeError('is empty', 'Write the network configuration to it, as JSON');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw decodeError(`is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, 'Mend the JSON');
  }
  if (!isObject(value))
    throw decodeError('is not a JSON object', 'A network configuration is an object: { "name": … }');
  return value;
}

/** Name of the network. Throws NetError `invalid-config` for an invalid name (SPEC.md §1). */
export function networkName(config: Json): string {
  const name = field(config, 'name');
  if (typeof name === 'string' && name.length <= 128 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return name;
  throw fault.invalidConfig(
    'config',
    name === undefined ? '.name' : `.name=${JSON.stringify(name)}`,
    name === undefined ? 'is missing' : 'is not a network name',
    'Start with a letter or digit; then letters, digits, "_", "." and "-"; 128 characters at most',
  );
}

/** The attachment of the call. */
export function attachmentOf({ config, variables }: Call): Attachment {
  const { containerId, ifName } = variables;
  return { camp: 'cni', network: networkName(config), containerId, ifName };
}

function decodeError(what: string, hint: string): NetError {
  return fault.decode('config', 'stdin', what, hint);
}
