import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;
export type Command = (typeof COMMANDS)[number];

/** The CNI_ variables of one call (SPEC.md §2, Parameters). Those that a command does not need may be empty. */
export interface CallVariables {
  readonly command: Command;
  readonly containerId: string;
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS, unparsed. */
  readonly args: string;
  /** CNI_PATH: search path for delegates. */
  readonly path: readonly string[];
  /** CNI_NETNS_OVERRIDE: the host's own namespace may be the sandbox. */
  readonly ownNamespace: boolean;
}

const REQUIRED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  STATUS: [],
  GC: [],
  VERSION: [],
};

/** IFNAMSIZ - 1, linux/if.h. */
const MAX_IFNAME = 15;

/** Throws NetError `bad-environment` naming all missing variables, or the first malformed one. */
export function parseEnvironment(env: Environment): CallVariables {
  const command = COMMANDS.find((known) => known === env.CNI_COMMAND);
  if (command === undefined) {
    throw bad(`CNI_COMMAND=${env.CNI_COMMAND ?? ''}`, `is not one of ${COMMANDS.join(', ')}`, 'Set one of these');
  }
  const missing = REQUIRED[command].filter((name) => !env[name]);
  if (missing.length > 0) {
    throw bad(missing.join(', '), `missing, and ${command} needs it`, 'Set each of them in the environment');
  }
  const variables: CallVariables = {
    command,
    containerId: env.CNI_CONTAINERID ?? '',
    netns: env.CNI_NETNS ?? '',
    ifName: env.CNI_IFNAME ?? '',
    args: env.CNI_ARGS ?? '',
    path: (env.CNI_PATH ?? '').split(':').filter((dir) => dir !== ''),
    ownNamespace: /^(1|true)$/i.test(env.CNI_NETNS_OVERRIDE ?? ''),
  };
  if (REQUIRED[command].length > 0) assertIdentity(variables);
  return variables;
}

function assertIdentity({ containerId, ifName }: CallVariables): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId)) {
    throw bad(
      `CNI_CONTAINERID=${containerId}`,
      'has characters that an id cannot have',
      'Start with a letter or digit; use letters, digits, "_", "." and "-" after it',
    );
  }
  const fault = ifNameFault(ifName);
  if (fault !== undefined) throw bad(`CNI_IFNAME=${ifName}`, fault, 'Give a name like eth0');
}

function ifNameFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > MAX_IFNAME) return `is longer than ${MAX_IFNAME} bytes, the kernel's limit`;
  if (name === '.' || name === '..') return 'is a directory name, which no interface can have';
  return /[/:\s]/.test(name) ? 'has "/", ":" or white space, which no interface name can have' : undefined;
}

function bad(subject: string, what: string, hint: string): NetError {
  return fault.badEnvironment('environment', subject, what, hint);
}
