import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Name of the pod, and of its network. */
export const POD = 'warm-up';

/** Calls for whose code the executable has a cache each: V8 reads a cache as a whole. */
export const CALLS = ['ADD', 'DEL', 'other'] as const;
export type CallKind = (typeof CALLS)[number];

/** A call: the command and the interface. */
type Step = readonly [command: string, ifName: string];

/** Calls before and the usual calls of a kind. A network that exists already is the usual case. */
const STEPS: Readonly<Record<CallKind, { readonly before: readonly Step[]; readonly usual: readonly Step[] }>> = {
  ADD: { before: [['ADD', 'eth0']], usual: [['ADD', 'eth1']] },
  DEL: {
    before: [
      ['ADD', 'eth0'],
      ['ADD', 'eth1'],
    ],
    usual: [
      ['DEL', 'eth1'],
      ['DEL', 'eth0'],
    ],
  },
  other: {
    before: [['ADD', 'eth0']],
    usual: [
      ['VERSION', 'eth0'],
      ['CHECK', 'eth0'],
    ],
  },
};

/**
 * Runs the usual calls of a kind, in this process, by `start`, which starts the CNI plugin. Those before them run in
 * processes of their own, from the file `program`. This process must be in its own network and user namespaces, which
 * remove everything the calls create. Replaces standard input and output.
 * Throws with the plugin's answer if a call fails.
 */
export async function warmUp(kind: CallKind, program: string, start: () => void): Promise<void> {
  await withPod(async (dir, prepare) => {
    const { before, usual } = STEPS[kind];
    let prevResult: object = {};
    for (const step of before) prevResult = callPlugin(program, prepare(step, prevResult));
    for (const step of usual) {
      const { code, text } = await answerOf(start, dir, prepare(step, prevResult));
      answered(code, text);
    }
  });
}

/** Sets the variables of a call, and returns its configuration. */
type Prepare = (step: Step, prevResult?: object) => string;

/** Works with a pod, and a directory whose parts `state` and `networks` are the plugin's. */
export async function withPod(work: (dir: string, prepare: Prepare) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'isth-warm-'));
  const pod = spawn('unshare', ['--net', 'sh', '-c', 'echo && exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(pod.stdout, 'data');
    await work(dir, ([command, ifName], prevResult = {}) => {
      Object.assign(process.env, {
        CNI_COMMAND: command,
        CNI_CONTAINERID: POD,
        CNI_NETNS: `/proc/${pod.pid}/ns/net`,
        CNI_IFNAME: ifName,
        CNI_PATH: dir,
        ISTHMUS_STATE_DIR: join(dir, 'state'),
      });
      return JSON.stringify({ ...configIn(dir, ifName), ...(command === 'CHECK' ? { prevResult } : {}) });
    });
  } finally {
    pod.stdin.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs a call in a process of its own, and returns its answer. Throws with it if the call fails. */
export function callPlugin(program: string, input: string): object {
  const { status, stdout } = spawnSync(process.execPath, [program], { input, encoding: 'utf8' });
  return answered(status, stdout);
}

function configIn(dir: string, ifName: string): object {
  const hostPort = ifName === 'eth0' ? 8080 : 8081;
  const ranges = [[{ subnet: '10.88.0.0/16' }]];
  return {
    cniVersion: '1.0.0',
    name: POD,
    type: 'isthmus',
    driver: 'bridge',
    bridge: 'isth0',
    isGateway: true,
    ipMasq: true,
    runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] },
    ipam: { dataDir: join(dir, 'networks'), ranges, routes: [{ dst: '0.0.0.0/0' }] },
  };
}

/**
 * Returns the exit code and the output of one start with a text on stdin. The program calls process.exit, which must not
 * end this process.
 */
export async function answerOf(
  start: () => void,
  dir: string,
  stdin: string,
): Promise<{ code: unknown; text: string }> {
  const [input, output] = [join(dir, 'stdin'), join(dir, 'stdout')];
  writeFileSync(input, stdin);
  // An opened file gets the lowest free descriptor.
  closeSync(0);
  openSync(input, 'r');
  closeSync(1);
  openSync(output, 'w');
  const { exit } = process;
  const code = await new Promise((resolve) => {
    Object.assign(process, { exit: resolve });
    start();
  });
  process.exit = exit;
  return { code, text: readFileSync(output, 'utf8') };
}

function answered(code: unknown, answer: string): object {
  if (code !== 0) throw new Error(`${process.env.CNI_COMMAND} answered ${code}: ${answer}`);
  return answer === '' ? {} : JSON.parse(answer);
}
