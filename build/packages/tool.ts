import { spawnSync } from 'node:child_process';

export interface ToolOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Returns what the command printed. Throws with the end of all that it said unless it succeeds. */
export function runTool(command: readonly [string, ...string[]], { cwd, env = {} }: ToolOptions): string {
  const [file, ...args] = command;
  const all = { ...process.env, ...env, LC_ALL: 'C' };
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    env: all,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status === 0) return stdout;
  if (error !== undefined) throw new Error(`${file}: ${error.message}: run "node build/setup.mjs packages"`);
  throw new Error(`${command.join(' ')}: exit ${status}\n${`${stdout}${stderr}`.split('\n').slice(-30).join('\n')}`);
}
