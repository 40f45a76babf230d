import { strict as assert } from 'node:assert';
import type { CniAnswer } from './cni.ts';
import { binDir } from './e2e.ts';
import type { TestHost } from './test-host.ts';

export type Command = 'ADD' | 'CHECK' | 'DEL' | 'STATUS' | 'GC';
export type Config = Readonly<Record<string, unknown>>;

export const REMOTE_IPAM = { type: 'remote', plugin: 'gpipam' };
/** A network of the plugins of `startSdkPlugin`. */
export const REMOTE: Config = {
  ...{ cniVersion: '1.1.0', name: 'net', type: 'isthmus', driver: 'remote', plugin: 'gp' },
  ipam: REMOTE_IPAM,
};

/** An answer, and what the process printed. */
export interface RemoteAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly json: CniAnswer;
}

/** CNI calls for pods whose namespace has the pod's name. */
export interface RemoteCalls {
  /** `prefix`: a command that runs the plugin, as its last word. */
  attempt(command: Command, pod: string, prefix?: readonly string[]): RemoteAnswer;
  /** The answer of a call that succeeds. */
  call(command: Command, pod: string): CniAnswer;
  /** The error of a call that fails. */
  refused(command: Command, pod: string): CniAnswer;
  /** The same calls, with another configuration. */
  with(config: Config | string): RemoteCalls;
}

/** The calls of a runtime in `host`. */
export function remoteCalls(host: () => TestHost, config: Config | string = REMOTE): RemoteCalls {
  const input = typeof config === 'string' ? config : JSON.stringify(config);
  const attempt: RemoteCalls['attempt'] = (command, pod, prefix = []) => {
    const env = {
      ...{ CNI_COMMAND: command, CNI_CONTAINERID: pod, CNI_NETNS: `/run/netns/${pod}`, CNI_IFNAME: 'eth0' },
      CNI_PATH: binDir,
    };
    const { code, stdout, stderr } = host().attempt([...prefix, `${binDir}/isthmus`], { input, env, timeout: 90_000 });
    // A call that was killed may have printed a part.
    const json: CniAnswer = stdout.trim() === '' || (code !== 0 && code !== 1) ? {} : JSON.parse(stdout);
    return { code, stdout, stderr, json };
  };
  return {
    attempt,
    call: (command, pod) => {
      const { code, stdout, stderr, json } = attempt(command, pod);
      assert.equal(code, 0, `${command} ${pod}: ${stdout}${stderr}`);
      return json;
    },
    refused: (command, pod) => {
      const { code, stdout, json } = attempt(command, pod);
      assert.equal(code, 1, stdout);
      return json;
    },
    with: (other) => remoteCalls(host, other),
  };
}

/** The first address of an answer, without its prefix length. */
export function addressOf({ ips }: CniAnswer): string {
  return ips?.[0]?.address.replace(/\/.*/, '') ?? '';
}
