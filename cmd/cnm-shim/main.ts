import { CommanderError } from 'commander';
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { Failures } from './cli/output.ts';
import { outputFailure } from './cli/stdout.ts';
import { makeProgram } from './program.ts';

const SETTINGS = [
  ...['ISTHMUS_LOG', 'ISTHMUS_RUN_DIR', 'ISTHMUS_STATE_DIR'],
  ...['ISTHMUS_DOCKER_SOCKET', 'ISTHMUS_DOCKER_NAME', 'ISTHMUS_ADDRESS_POOLS', 'ISTHMUS_CLUSTER', 'ISTHMUS_METRICS'],
];
/** Wrong usage. */
const USAGE = 2;

/** Runs one verb. Returns the exit code. */
async function main(): Promise<number> {
  unsetEmpty(SETTINGS);
  try {
    await makeProgram().parseAsync();
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

/** The exit code: that of a failure also if what the verb printed has not arrived. */
function withOutput(code: number): number {
  const failure = outputFailure();
  if (failure === undefined) return code;
  console.error(`isthmus: ${failure.message}`);
  return code === 0 ? CATALOG[failure.kind].exit : code;
}

/** A variable with an empty value counts as unset. */
function unsetEmpty(names: readonly string[]): void {
  for (const name of names) if (process.env[name] === '') delete process.env[name];
}

main().then((code) => process.exit(withOutput(code)));
