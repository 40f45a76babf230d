import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { visible } from '../../../src/shared/model/visible.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { type Prepared, prepareInstall, prepareUninstall, whileLocked } from '../install/install.ts';
import { readPayload } from '../install/payload.ts';
import type { Step } from '../install/plan.ts';
import { backupOf } from '../install/record.ts';
import { runCommand } from '../install/services.ts';
import { dockerNames } from './names.ts';
import { type OutputOptions, printJson } from './output.ts';
import { hasState, openState } from './state.ts';
import { writeOut } from './stdout.ts';

interface RootOptions extends OutputOptions {
  readonly root: string;
  readonly dryRun?: true;
}

export interface InstallVerbOptions extends RootOptions {
  readonly names?: readonly string[];
  readonly daemon?: boolean;
}

export interface UninstallVerbOptions extends RootOptions {
  readonly force?: true;
}

const STATE_DIR = '/var/lib/isthmus';
/** The last line of `--dry-run`. */
const DRY_RUN = 'this was a dry run: nothing has been changed';

/** A step as it is shown: what is done, and to what. */
interface Shown {
  readonly action: Step['action'] | 'run';
  readonly path?: string;
  readonly command?: string;
  /** Why nothing is done, or where the copy of a replaced file is. */
  readonly note?: string;
}

/** Installs or upgrades, and says each step. Throws NetError; then nothing is changed, or another run completes it. */
export async function runInstall({ root, names, daemon, ...output }: InstallVerbOptions): Promise<void> {
  const payload = readPayload();
  await run({ root, ...output }, async (say) => {
    const options = { root, ...(names === undefined ? {} : { names }), ...(daemon === undefined ? {} : { daemon }) };
    const prepared = prepareInstall(payload, options);
    perform(prepared, say, output.dryRun === true);
    return afterInstall(prepared, payload.version, output.dryRun === true);
  });
}

/** Removes an installation, and says each step and what it leaves. Throws NetError `conflict` while containers use it. */
export async function runUninstall({ root, force, ...output }: UninstallVerbOptions): Promise<void> {
  await run({ root, ...output }, async (say) => {
    const prepared = prepareUninstall(root);
    if (prepared.plan.steps.length === 0) return [`isthmus is not installed below ${root}: nothing is to be removed`];
    const left = await usesOf(root, force === true);
    perform(prepared, say, output.dryRun === true);
    return left;
  });
}

type Say = (shown: Shown) => void;

/** Prints the steps as they come, or as JSON all together; then the notes that `work` returns. */
async function run(
  { root, dryRun, output, format = output }: RootOptions,
  work: (say: Say) => Promise<readonly string[]>,
): Promise<void> {
  const steps: Shown[] = [];
  const isJson = format === 'json';
  const say: Say = (shown) => {
    steps.push(shown);
    if (!isJson) writeOut(`${visible(lineOf(shown))}\n`);
  };
  const perform = async (): Promise<void> => {
    const notes = await work(say);
    if (isJson) printJson({ root, dryRun: dryRun === true, steps, notes });
    else for (const note of [...notes, ...(dryRun === true ? [DRY_RUN] : [])]) writeOut(`${visible(note)}\n`);
  };
  if (dryRun === true) await perform();
  else await whileLocked(root, perform);
}

function perform({ plan, commands, carryOut }: Prepared, say: Say, dryRun: boolean): void {
  const command = (words: readonly string[]): void => {
    say({ action: 'run', command: words.join(' ') });
    if (!dryRun) runCommand(words);
  };
  for (const words of commands.before) command(words);
  if (dryRun) for (const step of plan.steps) say(shownStep(step));
  else carryOut((step) => say(shownStep(step)));
  for (const words of commands.after) command(words);
}

function shownStep(step: Step): Shown {
  const { action, path } = step;
  if ('why' in step) return { action, path, note: step.why };
  if ('backup' in step && step.backup) return { action, path, note: `the former one is kept as ${backupOf(path)}` };
  return { action, path };
}

function lineOf({ action, path, command, note }: Shown): string {
  return `${action.padEnd(9)} ${path ?? command}${note === undefined ? '' : `: ${note}`}`;
}

function afterInstall({ systemd, daemon, plan }: Prepared, version: string, dryRun: boolean): string[] {
  const changes = plan.steps.some(({ action }) => action !== 'keep' && action !== 'leave');
  const installed = changes ? `isthmus ${version} is installed` : `isthmus ${version} is installed already`;
  const done = dryRun && changes ? `isthmus ${version} would be installed` : installed;
  if (systemd === 'absent')
    return [done, 'there is no systemd: to run the daemon, which Docker needs, start isthmus serve'];
  if (systemd === 'present' && daemon)
    return [done, 'systemd does not run here: it will start the daemon at the next boot'];
  return [done];
}

/** Returns what of Isthmus stays after an uninstallation. Throws NetError `conflict` if containers use it. */
async function usesOf(root: string, force: boolean): Promise<string[]> {
  const stateDir = join(root, STATE_DIR);
  if (!hasState({ stateDir })) return existsSync(stateDir) ? [`left: ${stateDir}`] : [];
  const state = `left: the state, ${stateDir}; to delete it, run: rm -r ${stateDir}`;
  if (force) return [state];
  await using core = openState({ stateDir });
  const endpoints = listEndpoints(core);
  if (endpoints.length > 0) {
    const [first] = endpoints;
    const what = `${endpoints.length === 1 ? '1 endpoint uses' : `${endpoints.length} endpoints use`} it, such as ${first?.id} on ${first?.network}`;
    throw fault.conflict(
      'uninstall',
      'isthmus',
      what,
      'Remove these containers first. If they are gone already, give --force',
    );
  }
  const { networks } = await dockerNames(core);
  const rows = core.store.dockerNetworks.list();
  const docker = rows.map(
    ({ id, network }) => `left: Docker's network ${networks.get(id) ?? network}; remove it by docker network rm`,
  );
  return [...docker, state];
}
