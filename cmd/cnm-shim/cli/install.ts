import { type Command, InvalidArgumentError, Option } from 'commander';
import { nearest } from '../../../src/shared/config/nearest.ts';
import { NAMES } from '../install/items.ts';
import type { InstallVerbOptions, UninstallVerbOptions } from './install-run.ts';
import { addOutput } from './output.ts';
import { absolutePath } from './state.ts';

const EXAMPLES = `
Puts the plugin, this command and the daemon's units in place, and a first network where no CNI configuration is. Run it
again to upgrade: calls go on meanwhile. Options that are not given stay as they were. What it replaces comes back with
isthmus uninstall.

Examples:
  isthmus install
  isthmus install --dry-run                      shows the steps, and changes nothing
  isthmus install --names bridge,portmap         also in place of these reference plugins
  isthmus install --names all                    of all of them; none puts them back
  isthmus install --no-daemon                    no units: each call runs the plugin alone
  isthmus install --root /host -o json           the system below /host
`;

const UNINSTALL_EXAMPLES = `
Removes what isthmus install put in place, and puts back what was there before. The state stays. Refused while
containers use a network of Isthmus: the runtime could not disconnect them any more.

Examples:
  isthmus uninstall
  isthmus uninstall --dry-run                    shows the steps, and changes nothing
  isthmus uninstall --force                      although containers use it
`;

/** Adds the verbs `install` and `uninstall` to `program`. */
export function addInstall(program: Command): void {
  addRoot(program.command('install').summary('install or upgrade this program on the system'))
    .addOption(
      new Option('--names <names>', 'reference plugins to replace, separated by commas; all, or none').argParser(
        parseNames,
      ),
    )
    .option('--daemon', "install the daemon's units (default)")
    .option('--no-daemon', 'install no units, and remove those of an earlier installation')
    .addHelpText('after', EXAMPLES)
    .action(async (options: InstallVerbOptions, command: Command) => {
      const { runInstall } = await import('./install-run.ts');
      // commander's own default for --no-daemon is true.
      const isGiven = command.getOptionValueSource('daemon') === 'cli';
      const { daemon, ...others } = options;
      await runInstall(isGiven && daemon !== undefined ? { ...others, daemon } : others);
    });
  addRoot(program.command('uninstall').summary('remove this program from the system'))
    .option('--force', 'although containers use it')
    .addHelpText('after', UNINSTALL_EXAMPLES)
    .action(async (options: UninstallVerbOptions) => {
      const { runUninstall } = await import('./install-run.ts');
      await runUninstall(options);
    });
}

function addRoot(command: Command): Command {
  return addOutput(command)
    .addOption(new Option('--root <dir>', 'root directory of the system').default('/').argParser(absolutePath))
    .option('--dry-run', 'show the steps, and change nothing');
}

function parseNames(text: string): readonly string[] {
  if (text === 'none') return [];
  if (text === 'all') return NAMES;
  const names = [...new Set(text.split(',').filter(Boolean))];
  const unknown = names.find((name) => !NAMES.some((known) => known === name));
  if (names.length === 0) throw new InvalidArgumentError('Give names, all or none.');
  if (unknown === undefined) return names;
  const meant = nearest(unknown, NAMES);
  const hint = meant === undefined ? `Names are ${NAMES.join(', ')}.` : `Did you mean ${meant}?`;
  throw new InvalidArgumentError(`There is no reference plugin '${unknown}'. ${hint}`);
}
