import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { type Addr, parseAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import { collapse } from '../../../src/shared/ops/doctor/collapse.ts';
import type { Facts } from '../../../src/shared/ops/doctor/facts.ts';
import type { Finding } from '../../../src/shared/ops/doctor/finding.ts';
import { observe } from '../../../src/shared/ops/doctor/observe.ts';
import { observePaths } from '../../../src/shared/ops/doctor/observe-system.ts';
import { probe } from '../../../src/shared/ops/doctor/probe.ts';
import { diagnose, RULES, type Scope } from '../../../src/shared/ops/doctor/registry.ts';
import { type Repaired, repair } from '../../../src/shared/ops/doctor/repair.ts';
import { count } from '../../../src/shared/ops/doctor/rules/network.ts';
import { readCniFacts } from '../../../src/shared/runtime/configuration-files.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import { reloadVerb } from '../../../src/shared/runtime/reload.ts';
import { inspectState } from '../../../src/shared/store/inspect.ts';
import { terminalWidth, wrap } from '../../../src/shared/ui/lines.ts';
import { askDaemon } from '../control/ask.ts';
import { networksNow } from '../docker/engine/names.ts';
import { installedPlugin } from './installed.ts';
import { looking, openLook, scopeOf } from './look.ts';
import { dockerNames } from './names.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';
import { addStateDir, assertState, hasState, runDirOption, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Looks for causes of trouble, and changes nothing without --fix. Each finding has what is wrong, what it leads to, and
the command that mends it. docs/troubleshooting.md lists the findings by their names.
Exit codes: 0 nothing found, 1 something found, 2 wrong usage.

Examples:
  isthmus doctor                        everything
  isthmus doctor web                    one network
  isthmus doctor web1                   one container, by its name in Docker or the beginning of its id
  isthmus doctor --fix                  also make the repairs that can do no harm, and look again
  isthmus doctor --probe                also send packets: how large they may be, and who else has an address
  isthmus doctor -o json | jq -r '.findings[].rule'
`;

interface DoctorOptions extends OutputOptions, StateOptions {
  readonly runDir: string;
  readonly fix?: boolean;
  readonly probe?: boolean;
  readonly probeTo?: Addr;
}

interface Report {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** Number of rules. */
  readonly rules: number;
  /** What `--fix` has done. */
  readonly fixed?: readonly string[];
  readonly failed?: readonly string[];
}

/** Adds the verb `doctor` to `program`. */
export function addDoctor(program: Command): void {
  const doctor = program
    .command('doctor')
    .argument('[name]', 'a network or a container')
    .summary('find out why something does not work');
  addStateDir(addOutput(doctor))
    .addOption(runDirOption("the daemon's directory"))
    .option('--fix', 'make the repairs that can do no harm')
    .option('--probe', 'also send packets')
    .option('--probe-to <address>', 'send large packets there; default: the next hop of the host', parseTarget)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, options: DoctorOptions) => {
      const report = await looking('doctor', () => examine(name, options));
      const { output, format = output } = options;
      if (format === 'json') printJson(report);
      else writeOut(textOf(report, options));
      process.exitCode = report.ok ? 0 : 1;
    });
}

function parseTarget(text: string): Addr {
  const found = parseAddr(text);
  if (found?.family === 4) return found;
  throw new InvalidArgumentError('Give an IPv4 address.');
}

async function examine(name: string | undefined, options: DoctorOptions): Promise<Report> {
  const paths = observePaths(options.stateDir, options.runDir);
  await using core = openLook(options);
  const scope = name === undefined ? undefined : await named(core, name, options);
  const findings = await findingsOf(core, options, { scope, paths });
  if (options.fix !== true) return reportOf(findings);
  const stateDir = options.stateDir;
  const reload = (): Promise<string> => reloadVerb({ ...process.env, ISTHMUS_STATE_DIR: stateDir });
  const done = await repair(core, findings, reload);
  const isChanged = done.done.length > 0;
  return reportOf(
    isChanged ? await findingsOf(core, options, { scope, paths: observePaths(stateDir, options.runDir) }) : findings,
    done,
  );
}

/** Throws NetError `state` without a state: nothing has a name then. */
async function named(core: CallCore, name: string, options: DoctorOptions): Promise<Scope> {
  assertState(options);
  return await scopeOf(core, name, await dockerNames(core));
}

interface Looking {
  readonly scope: Scope | undefined;
  readonly paths: Facts['paths'];
}

/** A call takes less, between its first and its last step. */
const CALL_MS = 300;

/** What two looks show: records and kernel disagree for a moment while a call is at work. Packets are sent once. */
async function findingsOf(core: CallCore, options: DoctorOptions, looking: Looking): Promise<readonly Finding[]> {
  const { scope } = looking;
  const facts = await look(core, options, looking);
  const probes = await probesOf(core, options, facts, scope);
  const first = diagnose({ ...facts, ...probes }, scope);
  if (first.length === 0) return first;
  await sleep(CALL_MS);
  const again = await look(core, options, looking);
  const keys = new Set(first.map(keyOf));
  return diagnose({ ...again, ...probes }, scope).filter((one) => keys.has(keyOf(one)));
}

function keyOf({ rule, subject }: Finding): string {
  return `${rule} ${subject}`;
}

async function look(core: CallCore, options: DoctorOptions, { paths }: Looking): Promise<Facts> {
  const { stateDir, runDir } = options;
  const [control, docker, installed] = await Promise.all([
    askDaemon(runDir),
    usesDocker(core, options) ? networksNow() : undefined,
    installedPlugin(process.env),
  ]);
  // dockerd has networks of its own in any case: an empty list is no answer.
  const known = docker === undefined || docker.length === 0 ? undefined : docker;
  const cni = { ...readCniFacts(process.env), ...given({ installed }) };
  const around = { version: PROGRAM_VERSION, stateDir, runDir, paths, cni, control, ...given({ docker: known }) };
  return await observe(core, around);
}

async function probesOf(
  core: CallCore,
  options: DoctorOptions,
  facts: Facts,
  scope: Scope | undefined,
): Promise<Pick<Facts, 'probes'>> {
  if (options.probe !== true && options.probeTo === undefined) return {};
  return { probes: await probe(core, facts, given({ scope, to: options.probeTo })) };
}

/** False also for a state that cannot be read. */
function usesDocker(core: CallCore, options: DoctorOptions): boolean {
  if (!hasState(options) || inspectState(options.stateDir, core.host.identity).broken !== undefined) return false;
  try {
    return core.store.dockerNetworks.list().length > 0;
  } catch {
    return false;
  }
}

function reportOf(findings: readonly Finding[], repaired?: Repaired): Report {
  const failed = repaired?.errors.map((error) => asNetError(error, 'doctor').message);
  return {
    ok: findings.length === 0 && (failed === undefined || failed.length === 0),
    findings,
    rules: RULES.length,
    ...given({ fixed: repaired?.done, failed }),
  };
}

function textOf({ findings, rules, fixed, failed = [] }: Report, { fix = false }: DoctorOptions): string {
  const width = terminalWidth();
  const lines: string[] = [];
  for (const one of fixed ?? []) lines.push(wrap(`done: ${one}`, width, 6));
  for (const one of failed) lines.push(wrap(`failed: ${one}`, width, 8));
  if (lines.length > 0) lines.push('');
  for (const { rule, level, subject, what, why, cure } of collapse(findings)) {
    lines.push(wrap(`${level} ${rule}: ${subject}: ${what}`, width, INDENT));
    lines.push(
      wrap(`${' '.repeat(INDENT)}${why}`, width, INDENT),
      wrap(`${' '.repeat(INDENT)}> ${cure}`, width, INDENT + 2),
    );
  }
  const errors = findings.filter(({ level }) => level === 'error').length;
  const mendable = findings.filter((one) => one.repair !== undefined).length;
  if (findings.length === 0) lines.push(`nothing found by ${rules} rules`);
  else {
    const hint = mendable === 0 || fix ? '' : `; isthmus doctor --fix mends ${mendable} of them`;
    lines.push('', wrap(`${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}${hint}`, width));
  }
  return `${lines.join('\n')}\n`;
}

const INDENT = 2;
