import { add } from '../../src/shared/runtime/cni/add.ts';
import { openCore } from '../../src/shared/runtime/context.ts';
import { type CrowdOrder, hostPortOf } from './crowd.ts';

/** Adds endpoints as that many plugin calls would, in one process inside the host's namespace. */
async function main({ stateDir, netns, from, to, config }: CrowdOrder): Promise<void> {
  using core = openCore({ ISTHMUS_STATE_DIR: stateDir });
  for (let i = from; i < to; i++) {
    const portMappings = [{ hostPort: hostPortOf(i), containerPort: 80, protocol: 'tcp' }];
    const own = { ...config, runtimeConfig: { portMappings } };
    const place = { netns, containerId: `crowd${i}`, ifName: `eth${i}`, args: '', path: [], ownNamespace: false };
    const variables = { command: 'ADD', ...place } as const;
    await add(
      {
        plugin: 'isthmus',
        variables,
        env: {},
        stderr: () => {},
        text: JSON.stringify(own),
        config: own,
        version: '1.0.0',
      },
      core,
    );
  }
}

await main(JSON.parse(process.argv[2] ?? ''));
