import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { environmentOf, inputOf, type PluginCall } from './cni.ts';
import { COMPILE_CACHE } from './compile-cache.ts';
import type { PodPort } from './crio-hostports.ts';
import { makeTempDir } from './temp.ts';

export interface CrioPod {
  readonly id: string;
  readonly ports: readonly PodPort[];
  readonly plugin: {
    readonly file: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly input: string | Uint8Array;
  };
}

export interface CrioCommand {
  readonly does: 'start' | 'stop';
  readonly pod: CrioPod;
}

export interface CrioAnswer {
  readonly error?: string;
}

/** A process that does for pods what CRI-O does, with an executable named `crio`. Dispose ends it. */
export interface Crio extends Disposable {
  readonly pid: number;
  /** Adds the pod by this call of the plugin and opens its host ports; rejects as RunPodSandbox does. */
  run(call: PluginCall, ports: readonly PodPort[]): Promise<void>;
  /** Closes its host ports and deletes the pod. */
  stop(call: PluginCall, ports: readonly PodPort[]): Promise<void>;
}

/** Starts it in the network namespace at `path`. */
export function startCrio(path: string): Crio {
  const dir = makeTempDir();
  const file = join(dir.path, 'crio');
  try {
    linkSync(process.execPath, file);
  } catch {
    // On another file system.
    copyFileSync(process.execPath, file);
  }
  const words = [`--net=${path}`, '--', file, '--no-warnings', join(import.meta.dirname, 'crio-child.ts')];
  const child = spawn('nsenter', words, {
    env: { ...process.env, ...COMPILE_CACHE },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const tell = async (command: CrioCommand): Promise<void> => {
    const answer = once(lines, 'line');
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const [line] = await answer;
    const { error }: CrioAnswer = JSON.parse(line);
    if (error !== undefined) throw new Error(error);
  };
  const podOf = (call: PluginCall, ports: readonly PodPort[]): CrioPod => ({
    ...{ id: call.containerId ?? '', ports },
    plugin: { file: join(call.dir, call.name), env: environmentOf(call), input: inputOf(call) },
  });
  return {
    get pid() {
      if (child.pid === undefined) throw new Error('crio has not started');
      return child.pid;
    },
    run: (call, ports) => tell({ does: 'start', pod: podOf(call, ports) }),
    stop: (call, ports) => tell({ does: 'stop', pod: podOf(call, ports) }),
    [Symbol.dispose]() {
      child.kill('SIGKILL');
      dir[Symbol.dispose]();
    },
  };
}
