import { createServer } from 'node:http';
import { join } from 'node:path';

/** A Docker plugin at a socket in the directory that its argument names. It tells how long its own answers took. */
const [, , directory = ''] = process.argv;
const times: number[] = [];
const server = createServer((request, response) => {
  const since = performance.now();
  const method = (request.url ?? '').slice(1);
  request.resume().on('end', () => {
    response.setHeader('Content-Type', 'application/vnd.docker.plugins.v1.1+json');
    const done = (): void => void times.push(performance.now() - since);
    if (method === 'Plugin.Activate') response.end('{"Implements":["NetworkDriver"]}\n');
    // The client waits for the answer, as for a plugin that works.
    else if (method === 'NetworkDriver.Join') setTimeout(() => response.end(JOINED, done), 3);
    else if (method === 'NetworkDriver.Times') response.end(JSON.stringify({ Value: { times: times.splice(0) } }));
    else response.end('{}\n');
  });
});
const JOINED = JSON.stringify({ InterfaceName: { SrcName: 'gi0', DstPrefix: 'eth' }, Gateway: '10.77.1.1' });
server.listen(join(directory, 'bench.sock'), () => console.log('listening'));
