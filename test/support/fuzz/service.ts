import { openSync, readFileSync } from 'node:fs';
import { type AcceptedCall, CniService, release } from '../../../cmd/cnm-shim/cni/service.ts';
import type { Answer } from '../../../src/shared/runtime/cni/answer.ts';

/** One call of a plugin in this process. */
export interface FuzzCall {
  readonly plugin: string;
  readonly command: string;
  /** Text as it is, anything else as JSON. */
  readonly config: unknown;
  readonly env?: Readonly<Record<string, string>>;
}

export interface FuzzService extends Disposable {
  readonly service: CniService;
  /** Rejects after a minute: the call hangs. */
  run(call: FuzzCall): Promise<Answer>;
  /** Names of the links of this network namespace. */
  links(): string;
  /** The most processor time, in milliseconds, that one turn of the event loop took since the last question. */
  longestTurn(): number;
}

const HANGS_MS = 60_000;

/** The daemon's service in this process, which is in the namespace of a test host. */
export function openService(stateDir: string, pod: string, path: string): FuzzService {
  const ignore = (): void => {};
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const service = new CniService({ stateDir, env: { ISTHMUS_STATE_DIR: stateDir }, log });
  let longest = 0;
  let before = process.threadCpuUsage();
  const turn = setImmediate(function watch() {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    before = process.threadCpuUsage();
    next = setImmediate(watch);
  });
  let next = turn;
  return {
    service,
    run: async ({ plugin, command, config, env }) => {
      const call: AcceptedCall = {
        request: {
          argv0: plugin,
          env: {
            CNI_COMMAND: command,
            CNI_CONTAINERID: 'pod0',
            CNI_IFNAME: 'eth0',
            CNI_NETNS: pod,
            CNI_PATH: path,
            PATH: process.env.PATH ?? '',
            ISTHMUS_STATE_DIR: stateDir,
            ...env,
          },
          stdin: typeof config === 'string' ? config : JSON.stringify(config),
          netnsFd: -1,
          stateDir: undefined,
        },
        sandbox: openSync(pod, 'r'),
        since: performance.now(),
        gone: () => new AbortController().signal,
        stamp: 'fuzz',
      };
      let timer: NodeJS.Timeout | undefined;
      const hangs = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${command} ${plugin} hangs`)), HANGS_MS);
      });
      try {
        return await Promise.race([service.answer(call), hangs]);
      } finally {
        clearTimeout(timer);
        release(call);
      }
    },
    links: () =>
      readFileSync('/proc/thread-self/net/dev', 'latin1')
        .split('\n')
        .map((line) => line.split(':', 1)[0]?.trim() ?? '')
        .sort()
        .join(' '),
    longestTurn: () => {
      const found = longest;
      longest = 0;
      return found;
    },
    [Symbol.dispose]: () => {
      clearImmediate(next);
      service[Symbol.dispose]();
    },
  };
}
