import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { pluginCommand } from './docker-plugin.ts';

/** One operator verb, run to its end. */
export interface VerbRun {
  /** Exit code; the name of the signal where one ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** `isthmus` on one host. */
export interface Verbs {
  run(...args: readonly string[]): Promise<VerbRun>;
  /** The stdout of a verb that must succeed and print nothing on stderr. */
  ok(...args: readonly string[]): Promise<string>;
  /** The same as JSON, of a verb with `-o json`. */
  json<T>(...args: readonly string[]): Promise<T>;
  /** A verb fails with the exit code, says why in lines that match, each failure in one, and prints nothing else. */
  refused(args: readonly string[], code: 1 | 2, why: RegExp): Promise<void>;
}

export interface VerbPlace {
  readonly stateDir: string;
  /** Path of the network namespace that is the host. */
  readonly netns: string;
  /** Added to the environment, which otherwise has no CNI configurations and no dockerd. */
  readonly env?: Readonly<Record<string, string>>;
}

export function makeVerbs({ stateDir, netns, env }: VerbPlace): Verbs {
  const options = {
    env: {
      ...{ PATH: process.env.PATH ?? '', ISTHMUS_STATE_DIR: stateDir },
      ...{ ISTHMUS_CNI_CONF_DIR: '/nonexistent', ISTHMUS_DOCKER_HOST: 'none', ...env },
    },
    timeout: 30_000,
    maxBuffer: 64 << 20,
  };
  const verbs: Verbs = {
    run: (...args) =>
      new Promise((resolve) => {
        const words = [`--net=${netns}`, '--', ...pluginCommand(), ...args];
        execFile('nsenter', words, options, (error, stdout, stderr) => {
          resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr });
        });
      }),
    ok: async (...args) => {
      const { code, stdout, stderr } = await verbs.run(...args);
      assert.deepEqual([code, stderr], [0, ''], `isthmus ${args.join(' ')}: ${stdout}`);
      return stdout;
    },
    json: async (...args) => JSON.parse(await verbs.ok(...args, '-o', 'json')),
    refused: async (args, expected, why) => {
      const { code, stdout, stderr } = await verbs.run(...args);
      const what = `isthmus ${args.join(' ')}`;
      assert.deepEqual([code, stdout], [expected, ''], `${what}: ${stderr}`);
      assert.match(stderr, why, what);
      if (stderr.startsWith('isthmus: ')) assert.match(stderr, /^(isthmus: [^\n]*\n)+$/, what);
    },
  };
  return verbs;
}
