import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { pluginCommand } from './docker-plugin.ts';

/** One operator verb, run to its end. */
export interface VerbRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface VerbPlace {
  readonly stateDir: string;
  /** Path of the network namespace that is the host. */
  readonly netns: string;
  /** Added to the environment, which otherwise has no CNI configurations and no dockerd. */
  readonly env?: Readonly<Record<string, string>>;
}

/** `isthmus` with these arguments. */
export function runVerb({ stateDir, netns, env }: VerbPlace, args: readonly string[]): VerbRun {
  const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${netns}`, '--', ...pluginCommand(), ...args], {
    env: {
      ...{ PATH: process.env.PATH ?? '', ISTHMUS_STATE_DIR: stateDir },
      ...{ ISTHMUS_CNI_CONF_DIR: '/nonexistent', ISTHMUS_DOCKER_HOST: 'none', ...env },
    },
    encoding: 'utf8',
    timeout: 30_000,
    maxBuffer: 64 << 20,
  });
  return { status, stdout, stderr };
}

/** What a verb that must succeed prints on stdout, and nothing on stderr. */
export function verbOk(place: VerbPlace, args: readonly string[]): string {
  const { status, stdout, stderr } = runVerb(place, args);
  assert.deepEqual([status, stderr], [0, ''], `isthmus ${args.join(' ')}: ${stdout}`);
  return stdout;
}

/** A verb fails with the exit code, says why in one line that matches, and prints nothing else. */
export function assertRefused(place: VerbPlace, args: readonly string[], code: 1 | 2, why: RegExp): void {
  const { status, stdout, stderr } = runVerb(place, args);
  const what = `isthmus ${args.join(' ')}`;
  assert.deepEqual([status, stdout], [code, ''], `${what}: ${stderr}`);
  assert.match(stderr, why, what);
  if (stderr.startsWith('isthmus: ')) assert.match(stderr, /^[^\n]*\n$/, what);
}
