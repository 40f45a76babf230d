import { parseDocument } from '../../src/shared/config/document.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { add } from '../../src/shared/runtime/cni/add.ts';
import { type Call, readingOf } from '../../src/shared/runtime/cni/request.ts';
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
    const text = JSON.stringify(own);
    const call: Call = { plugin: 'isthmus', variables, env: {}, stderr: () => {}, text, version: '1.0.0' };
    await add({ ...call, config: parsePlugin(parseDocument(text), readingOf(call, 'ADD')) }, core);
  }
}

await main(JSON.parse(process.argv[2] ?? ''));
