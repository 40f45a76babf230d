import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const POD = 'warm-up';

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
  const dir = mkdtempSync(join(tmpdir(), 'isth-warm-'));
  const pod = spawn('unshare', ['--net', 'sh', '-c', 'echo && exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(pod.stdout, 'data');
    let prevResult: object = {};
    const prepare = ([command, ifName]: Step): string => {
      Object.assign(process.env, {
        CNI_COMMAND: command,
        CNI_CONTAINERID: POD,
        CNI_NETNS: `/proc/${pod.pid}/ns/net`,
        CNI_IFNAME: ifName,
        CNI_PATH: dir,
        ISTHMUS_STATE_DIR: join(dir, 'state'),
      });
      return JSON.stringify({ ...configIn(dir, ifName), ...(command === 'CHECK' ? { prevResult } : {}) });
    };
    const { before, usual } = STEPS[kind];
    for (const step of before) {
      const { status, stdout } = spawnSync(process.execPath, [program], { input: prepare(step), encoding: 'utf8' });
      prevResult = answered(status, stdout);
    }
    for (const step of usual) await answerOf(start, dir, prepare(step));
  } finally {
    pod.stdin.end();
    rmSync(dir, { recursive: true, force: true });
  }
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
 * Returns the output of one start with a configuration on stdin. The plugin calls process.exit, which must not end this
 * process.
 */
async function answerOf(start: () => void, dir: string, config: string): Promise<object> {
  const [input, output] = [join(dir, 'stdin'), join(dir, 'stdout')];
  writeFileSync(input, config);
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
  return answered(code, readFileSync(output, 'utf8'));
}

function answered(code: unknown, answer: string): object {
  if (code !== 0) throw new Error(`${process.env.CNI_COMMAND} answered ${code}: ${answer}`);
  return answer === '' ? {} : JSON.parse(answer);
}
