import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PluginClient } from '../../src/shared/remote/client.ts';
import { join as joinEndpoint } from '../../src/shared/remote/network-driver.ts';
import { makeTempDir } from '../support/temp.ts';
import { atMost, compared, type Row } from './rows.ts';
import { median } from './stats.ts';

export interface RemoteSizes {
  readonly warm: number;
  readonly calls: number;
}

/** Medians in milliseconds. */
export interface RemoteTimes {
  /** Of a call as the client sees it. */
  readonly call: number;
  /** Of the plugin's own work for it. */
  readonly own: number;
}

const IDS = { networkId: 'a'.repeat(64), endpointId: 'b'.repeat(64) };

/** Calls of a Docker plugin in another process, which takes three milliseconds for each. */
export async function measureRemote({ warm, calls }: RemoteSizes): Promise<RemoteTimes> {
  using temp = makeTempDir();
  const child = spawn(process.execPath, ['--no-warnings', join(import.meta.dirname, 'remote-child.ts'), temp.path]);
  try {
    await once(child.stdout, 'data');
    const directories = { sockets: [temp.path], specs: [] };
    using client = new PluginClient('bench', { directories, own: [] });
    const own = async (): Promise<number[]> => {
      const answer = (await client.call('NetworkDriver.Times')) as { Value: { times: number[] } };
      return answer.Value.times;
    };
    const samples: number[] = [];
    for (let i = 0; i < warm + calls; i++) {
      if (i === warm) await own();
      const since = performance.now();
      await joinEndpoint(client, IDS, '/run/netns/one');
      if (i >= warm) samples.push(performance.now() - since);
    }
    return { call: median(samples), own: median(await own()) };
  } finally {
    child.kill();
  }
}

export function remoteRows({ call, own }: RemoteTimes): Row[] {
  return [
    compared("a Docker plugin's Join, the client and its own work, p50", call, own),
    atMost('overhead of the client', call - own, 2, 'ms'),
  ];
}
