import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { DockerClient } from './docker-client.ts';

// Asks our daemon every 10 ms for what needs no time. Posts the longest wait after any message, and starts anew.

using client = new DockerClient(workerData);
let longest = 0;
parentPort?.on('message', () => {
  parentPort?.postMessage(longest);
  longest = 0;
});
for (;;) {
  const since = performance.now();
  await client.call('POST', '/Plugin.Activate');
  longest = Math.max(longest, performance.now() - since);
  await sleep(10);
}
