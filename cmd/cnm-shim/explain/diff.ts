import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import { comment } from '../../../src/shared/host/render-words.ts';
import { type Compared, compareOps } from '../../../src/shared/runtime/explain/compare.ts';
import type { PlannedStep } from '../../../src/shared/runtime/explain/dry-run.ts';
import { type ExplainedStep, renderSteps } from '../../../src/shared/runtime/explain/script.ts';
import { Firewallers } from '../../../src/shared/runtime/make-core.ts';
import { printJson } from '../cli/output.ts';
import { writeOut } from '../cli/stdout.ts';
import { sandboxName } from './names.ts';
import type { Explained, ExplainOptions } from './options.ts';
import { openSandbox } from './sandbox.ts';

const QUIET = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
/** How a line of a step begins. */
const SIGNS: Readonly<Record<Compared['state'], string>> = {
  present: '  ',
  missing: '+ ',
  different: '! ',
  passing: '. ',
};

/**
 * Prints each step with how it stands on the host: `+` missing, `!` different, `.` without a lasting effect. Returns the
 * exit code: 1 if any is missing or different.
 */
export async function printDiff(
  host: LinuxHost,
  { run, netns, head, notes }: Explained,
  output: ExplainOptions['output'],
): Promise<number> {
  // It only looks, so it needs no lock.
  using firewallers = new Firewallers(host, async () => ({ [Symbol.dispose]: () => {} }), QUIET);
  using sandbox = openSandbox(host, netns);
  const planned = run.steps.flatMap(single);
  const ops = planned.map(({ op }) => op);
  const compared = await compareOps({ host, firewall: (backend) => firewallers.get(backend) }, ops, sandbox);
  const steps = renderSteps(planned, sandboxName(netns)).map((step, i) => ({ ...step, ...compared[i] }));
  const isMissing = compared.some(({ state }) => state === 'missing' || state === 'different');
  if (output === 'json') printJson({ what: head, notes, namespace: netns, isComplete: !isMissing, steps });
  else writeOut([...[...head, ...notes].map((text) => `${comment(text)}\n`), ...steps.map(formatStep)].join(''));
  return isMissing ? 1 : 0;
}

function formatStep({ commands, state = 'passing', why }: ExplainedStep & Partial<Compared>): string {
  // The rules of a table are many, and there or not as one.
  const shown = commands.map((text) => text.replace(/\n.*$/s, ' …'));
  const lines = why === undefined ? shown : [...shown, comment(`  ${why}`)];
  return lines.map((text) => `${SIGNS[state]}${text}\n`).join('');
}

/** A step for each entry of the packet filter. */
function single(step: PlannedStep): PlannedStep[] {
  const { op } = step;
  return op.op === 'firewall.add' ? op.entries.map((entry) => ({ ...step, op: { ...op, entries: [entry] } })) : [step];
}
