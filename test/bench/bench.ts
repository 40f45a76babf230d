import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { referenceDir } from '../support/cni.ts';
import { makeHost } from '../support/cni-host.ts';
import type { Site } from './calls.ts';
import { sizesOf } from './sizes.ts';

/**
 * Runs run.ts inside a new namespace that stands for a host, so that both sides of the comparison start directly,
 * without another program between. `--quick` measures small sizes, `--daemon` only launcher and daemon, `--docker`
 * only dockerd with both drivers, `--overlay` only networks over several hosts, `--drivers` only drivers without a bridge,
 * `--scale` only the simulation of many hosts, `--verbs` only the verbs that look at a host.
 * `--markdown` and `--json FILE` are passed on.
 */
function main(): void {
  if (!existsSync(join(referenceDir, 'bridge'))) throw new Error(`${referenceDir}/bridge is missing: npm run setup`);
  using host = makeHost(sizesOf(process.argv).pods);
  const { stateDir, dataDir } = host;
  const site: Site = { stateDir, dataDir, pods: host.pods.map(({ path }) => path) };
  const program = join(import.meta.dirname, 'run.ts');
  const args = [`--net=${host.ns.path}`, '--', process.execPath, '--disable-warning=ExperimentalWarning', program];
  const { status } = spawnSync('nsenter', [...args, JSON.stringify(site), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

main();
