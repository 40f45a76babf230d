/** Forwards sockets of the file system to ports of this network namespace's loopback: arguments `PATH=PORT`. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

for (const [path = '', port = ''] of process.argv.slice(2).map((route) => route.split('='))) {
  const server = createServer((client) => {
    const member = connect(Number(port), '127.0.0.1');
    member.setNoDelay();
    client.on('error', () => {}).on('close', () => member.destroy());
    member.on('error', () => {}).on('close', () => client.destroy());
    client.pipe(member).pipe(client);
  });
  await once(server.listen(path), 'listening');
}
console.log('ready');
