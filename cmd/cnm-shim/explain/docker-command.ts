import { Command, CommanderError } from 'commander';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { collected } from '../cli/state.ts';

/** `docker network create` as its user writes it. */
export interface DockerCommand {
  readonly name: string;
  readonly driver: string;
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  readonly auxAddress: Readonly<Record<string, string>>;
  readonly opt: Readonly<Record<string, string>>;
  readonly ipamDriver: string;
  readonly ipamOpt: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly ipv6: boolean;
}

/** Drivers that dockerd has itself. */
const BUILT_IN: readonly string[] = ['bridge', 'host', 'ipvlan', 'macvlan', 'none', 'null', 'overlay'];
const DEFAULT_DRIVER = 'bridge';

/**
 * Parses the words of `docker network create`; the first of them may be left out. Throws NetError `bad-environment` for
 * another command, an unknown option, or one of Docker's own drivers.
 */
export function parseDockerCommand(text: string): DockerCommand {
  const words = shellWords(text);
  const [verb, ...rest] = words[0] === 'docker' ? words.slice(1) : words;
  if (verb !== 'network' || rest[0] !== 'create') {
    throw wrong(text, 'it is not "network create …"', "Write --docker 'network create -d isthmus NAME'");
  }
  const command = new Command('network create')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .helpOption(false)
    .argument('<name>')
    .option('-d, --driver <driver>', '', DEFAULT_DRIVER)
    .option('--subnet <cidr>', '', collected, [])
    .option('--gateway <address>', '', collected, [])
    .option('--ip-range <cidr>', '', collected, [])
    .option('--aux-address <name=address>', '', mapped, {})
    .option('-o, --opt <key=value>', '', mapped, {})
    .option('--ipam-driver <driver>', '', 'default')
    .option('--ipam-opt <key=value>', '', mapped, {})
    .option('--internal', '', false)
    .option('--ipv6', '', false)
    .option('--attachable')
    .option('--label <label>', '', collected, [])
    .option('--scope <scope>');
  try {
    command.parse(rest.slice(1), { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    throw wrong(text, thrown.message.replace(/^error: /, ''), 'Write it as for docker');
  }
  const found = { ...command.opts<Omit<DockerCommand, 'name'>>(), name: command.args[0] ?? '' };
  if (!BUILT_IN.includes(found.driver)) return found;
  throw wrong(text, `${found.driver} is a driver of Docker's own`, 'Add -d isthmus');
}

function mapped(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  return { ...before, [equals < 0 ? text : text.slice(0, equals)]: equals < 0 ? '' : text.slice(equals + 1) };
}

/** Splits at blanks; quotes and backslashes as in a shell. */
function shellWords(text: string): string[] {
  const words = text.match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/gs) ?? [];
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
      (_, plain, quoted, escaped) => plain ?? quoted?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? '',
    ),
  );
}

function wrong(text: string, what: string, hint: string): NetError {
  return fault.badEnvironment('explain', `--docker '${text}'`, what, hint);
}
