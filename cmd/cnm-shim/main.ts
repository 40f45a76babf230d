import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { visible } from '../../src/shared/model/visible.ts';
import { addCheckPath } from './cli/check-path.ts';
import { addCluster } from './cli/cluster.ts';
import { addDoctor } from './cli/doctor.ts';
import { addEndpoint } from './cli/endpoint.ts';
import { addEvents } from './cli/events.ts';
import { addInstall } from './cli/install.ts';
import { addNetwork } from './cli/network.ts';
import { Failures } from './cli/output.ts';
import { addPorts } from './cli/ports.ts';
import { addReload, addServe } from './cli/serve.ts';
import { addStatus } from './cli/status.ts';
import { addSupportBundle } from './cli/support-bundle.ts';
import { addTopology } from './cli/topology.ts';
import { addVersion } from './cli/version.ts';

const SETTINGS = [
  ...['ISTHMUS_LOG', 'ISTHMUS_RUN_DIR', 'ISTHMUS_STATE_DIR'],
  ...['ISTHMUS_DOCKER_SOCKET', 'ISTHMUS_DOCKER_NAME', 'ISTHMUS_ADDRESS_POOLS', 'ISTHMUS_CLUSTER', 'ISTHMUS_METRICS'],
];
/** Wrong usage. */
const USAGE = 2;

/** Runs one verb. Returns the exit code. */
async function main(): Promise<number> {
  unsetEmpty(SETTINGS);
  const program = new Command('isthmus')
    .description('One container-networking core for Kubernetes, podman and Docker.')
    .version(manifest.version, '--version', 'print the version')
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text.split('\n').map(visible).join('\n')) })
    .configureHelp({ helpWidth: 120 })
    .showHelpAfterError('Try --help.');
  addInstall(program);
  addServe(program);
  addStatus(program);
  addDoctor(program);
  addCheckPath(program);
  addNetwork(program);
  addEndpoint(program);
  addPorts(program);
  addTopology(program);
  addCluster(program);
  addEvents(program);
  addReload(program);
  addSupportBundle(program);
  addVersion(program);
  addHelp(program);
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    const errors = error instanceof Failures ? error.errors : ([error] as const);
    const [first] = errors;
    if (!(first instanceof NetError)) throw error;
    for (const { message } of errors as readonly NetError[]) console.error(`isthmus: ${message}`);
    return CATALOG[first.kind].exit;
  }
}

/** Adds `help`, which also knows the verbs of `network` and `endpoint`. */
function addHelp(program: Command): void {
  program.helpCommand(false);
  program
    .command('help')
    .argument('[verb...]')
    .summary('show the help page of a verb')
    .action((words: readonly string[]) => {
      let page = program;
      for (const word of words) {
        const next = page.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (next === undefined) return page.error(`error: there is no verb '${words.join(' ')}'`);
        page = next;
      }
      page.outputHelp();
    });
}

/** A variable with an empty value counts as unset. */
function unsetEmpty(names: readonly string[]): void {
  for (const name of names) if (process.env[name] === '') delete process.env[name];
}

main().then((code) => process.exit(code));
