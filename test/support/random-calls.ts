import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { CniAnswer, PluginRun } from './cni.ts';
import type { DaemonSite } from './daemon-site.ts';
import { ALONE, atOnce, publishing, reload } from './interleaved.ts';

/** What one program is asked for; `pod` is attached, deleted, or the one that GC may collect. */
export interface Step {
  readonly does: 'ADD' | 'DEL' | 'GC' | 'reload' | 'SIGHUP';
  readonly pod: number;
  readonly via: 'plugin' | 'daemon';
}

/** So many steps on so many pods; the same for the same seed. */
export function stepsOf(seed: number, count: number, pods: number): readonly Step[] {
  const step = fc.record<Step>({
    does: fc.constantFrom('ADD', 'ADD', 'ADD', 'DEL', 'DEL', 'GC', 'reload', 'SIGHUP'),
    pod: fc.nat({ max: pods - 1 }),
    via: fc.constantFrom('plugin', 'daemon'),
  });
  const [steps = []] = fc.sample(fc.array(step, { minLength: count, maxLength: count }), { seed, numRuns: 1 });
  return steps;
}

/** What has been done, in lines to read: when each step began and what it came to. */
export interface Course {
  readonly lines: readonly string[];
  /** What the last ADD of each pod that succeeded answered. */
  readonly answers: ReadonlyMap<number, CniAnswer>;
}

/** The pod's call: its address and port are its own, so that the order of ADDs makes no difference. */
export function ownCall(site: DaemonSite, pod: number): ReturnType<typeof publishing> & { readonly args: string } {
  return { ...publishing(site, pod), args: `IP=10.88.0.${10 + pod}` };
}

/** Runs the steps in their order, so many at once. */
export async function runSteps(site: DaemonSite, steps: readonly Step[], limit: number): Promise<Course> {
  const lines: string[] = [];
  const answers = new Map<number, CniAnswer>();
  const tasks = steps.map((step, i) => async (): Promise<void> => {
    const name = `${i} ${step.does} ${step.does === 'SIGHUP' || step.does === 'reload' ? '' : `pod${step.pod} `}${step.via}`;
    lines.push(`begin ${name}`);
    const run = await runStep(site, step);
    lines.push(`end   ${name}: ${run?.code ?? run?.signal ?? 'sent'} ${run?.json?.msg ?? run?.stderr ?? ''}`);
    if (run === undefined) return;
    if (step.does === 'ADD' && run.code === 0 && run.json !== undefined) answers.set(step.pod, run.json);
    // An attachment that is there, or that another call is at, is refused. All else succeeds.
    if (run.code !== 0) assert.ok(step.does === 'ADD' && isRefusal(run), `${name}: ${run.stdout}${run.stderr}`);
  });
  await atOnce(limit, tasks);
  return { lines, answers };
}

function isRefusal({ json }: PluginRun): boolean {
  return /already attached|has it|is taken|in use/.test(json?.msg ?? '');
}

async function runStep(site: DaemonSite, { does, pod, via }: Step): Promise<PluginRun | undefined> {
  const how = { ...(via === 'plugin' ? ALONE : {}), ...ownCall(site, pod) };
  switch (does) {
    case 'SIGHUP':
      site.daemon.child.kill('SIGHUP');
      return undefined;
    case 'reload':
      return await reload(site);
    case 'GC':
      return await site.begin('GC', { ...how, config: { ...how.config, ...validBut(site, pod) } }).done;
    default:
      return await site.begin(does, how).done;
  }
}

/** To a GC every pod but one is alive. */
function validBut(site: DaemonSite, pod: number): object {
  const others = site.host.pods.flatMap((_, i) => (i === pod ? [] : [{ containerID: `pod${i}`, ifname: 'eth0' }]));
  return { 'cni.dev/valid-attachments': others };
}
