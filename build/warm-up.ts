import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const POD = 'warm-up';

/**
 * Runs the most common calls of the CNI plugin that `start` starts, in this process: the first ADD on a host, a second
 * ADD, CHECK and DEL. This process must be in its own network and user namespaces, which remove everything the calls
 * create. Replaces standard input and output.
 * Throws with the plugin's answer if a call fails.
 */
export async function warmUp(start: () => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'isth-warm-'));
  const pod = spawn('unshare', ['--net', 'sh', '-c', 'echo && exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(pod.stdout, 'data');
    const call = (command: string, ifName: string, more: object = {}): Promise<object> => {
      Object.assign(process.env, {
        CNI_COMMAND: command,
        CNI_CONTAINERID: POD,
        CNI_NETNS: `/proc/${pod.pid}/ns/net`,
        CNI_IFNAME: ifName,
        CNI_PATH: dir,
        ISTHMUS_STATE_DIR: join(dir, 'state'),
      });
      return answerOf(start, dir, { ...configIn(dir, ifName), ...more });
    };
    const prevResult = await call('ADD', 'eth0');
    await call('ADD', 'eth1');
    await call('CHECK', 'eth0', { prevResult });
    await call('DEL', 'eth1');
    await call('DEL', 'eth0');
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
async function answerOf(start: () => void, dir: string, config: object): Promise<object> {
  const [input, output] = [join(dir, 'stdin'), join(dir, 'stdout')];
  writeFileSync(input, JSON.stringify(config));
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
  const answer = readFileSync(output, 'utf8');
  if (code !== 0) throw new Error(`${process.env.CNI_COMMAND} answered ${code}: ${answer}`);
  return answer === '' ? {} : JSON.parse(answer);
}
