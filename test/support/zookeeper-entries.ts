/** Prints the entries below a directory of a cluster in ZooKeeper, read by a plain client: `SOCKET ROOT`. */
import { createZooKeeperClient } from './zookeeper-client.ts';

const [endpoint = '', root = ''] = process.argv.slice(2);
await using client = await createZooKeeperClient({ endpoint });
const decode = (name: string): string => decodeURIComponent(name.slice(1));
const entries: [key: string, value: string][] = [];
for (const directory of await client.children(`${root}keys`))
  for (const name of await client.children(`${root}keys/${directory}`)) {
    const value = await client.data(`${root}keys/${directory}/${name}`);
    if (value !== undefined) entries.push([decode(directory) + decode(name), value]);
  }
for (const name of await client.children(`${root}sessions`)) {
  const value = await client.data(`${root}sessions/${name}`);
  if (value !== undefined) entries.push([decode(name), value]);
}
console.log(JSON.stringify(entries));
