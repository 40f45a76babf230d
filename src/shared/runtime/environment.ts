import { LIMITS } from '../config/limits.ts';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { ifNameFault } from '../model/link.ts';

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

/** Directories of CNI_PATH to look at, empty ones included. */
const MAX_SPLIT = LIMITS.path * 2;

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
    path: (env.CNI_PATH ?? '').split(':', MAX_SPLIT).filter((dir) => dir !== ''),
    ownNamespace: /^(1|true)$/i.test(env.CNI_NETNS_OVERRIDE ?? ''),
  };
  if (command !== 'DEL') assertModest(variables);
  if (REQUIRED[command].length > 0) assertIdentity(variables);
  return variables;
}

/** A DEL goes on without what is too much. */
function assertModest({ path, args }: CallVariables): void {
  if (path.length > LIMITS.path) throw bad('CNI_PATH', `has more than ${LIMITS.path} directories`, 'Give fewer');
  if (args.length > LIMITS.text)
    throw bad('CNI_ARGS', `has ${args.length} characters, ${LIMITS.text} are the limit`, 'Give fewer');
}

function assertIdentity({ containerId, ifName }: CallVariables): void {
  if (containerId.length > LIMITS.containerId) {
    const what = `has ${containerId.length} characters, ${LIMITS.containerId} are the limit`;
    throw bad(`CNI_CONTAINERID=${containerId.slice(0, 64)}…`, what, 'Give the id that the runtime shows');
  }
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

function bad(subject: string, what: string, hint: string): NetError {
  return fault.badEnvironment('environment', subject, what, hint);
}
