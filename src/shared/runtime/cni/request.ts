import { readFileSync } from 'node:fs';
import type { PluginConfig, PluginName, Reading } from '../../config/plugin-config.ts';
import type { CollectionConfig, RemovalConfig } from '../../config/removal-config.ts';
import type { CniVersion } from '../../config/versions.ts';
import type { Core } from '../../core/core.ts';
import type { RemovalRequest } from '../../core/requests.ts';
import { fault } from '../../errors/fault.ts';
import type { Attachment } from '../../model/attachment.ts';
import { findPlugin, isThisExecutable } from '../delegate.ts';
import type { CallVariables, Environment } from '../environment.ts';
import { MAX_STDIN } from './protocol.ts';

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
  /** Version of the answer. */
  readonly version: CniVersion;
  /** Of a DEL: deletes only what the call with this Core.stamp attached. */
  readonly stamp?: string;
}

/** ADD, CHECK or STATUS, with its configuration. */
export type PluginCall = Call & { readonly config: PluginConfig };
/** DEL, with what it needs of its configuration. */
export type RemovalCall = Call & { readonly config: RemovalConfig };
/** GC, with what it needs of its configuration. */
export type CollectionCall = Call & { readonly config: CollectionConfig };

/** The commands of a plugin. The returned value is printed; undefined prints nothing. */
export interface Handlers
  extends Readonly<Record<Reading['command'], (call: PluginCall, core: Core) => Promise<unknown>>> {
  readonly DEL: (call: RemovalCall, core: Core) => Promise<unknown>;
  readonly GC: (call: CollectionCall, core: Core) => Promise<unknown>;
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

/** The surroundings of the configuration of ADD, CHECK or STATUS. */
export function readingOf({ plugin, variables, version }: Call, command: Reading['command']): Reading {
  const { args, ifName, path } = variables;
  return { plugin, command, args, ifName, version, isOwn: (type) => isThisExecutable(findPlugin(type, path)) };
}

/** The attachment of the call. */
export function attachmentOf({ config, variables }: Call & { readonly config: { readonly name: string } }): Attachment {
  const { containerId, ifName } = variables;
  return { camp: 'cni', network: config.name, containerId, ifName };
}
