import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { Refusal } from '../support/docker-caller.ts';
import { type DockerLab, makeDockerLab } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { type Agent, assertTraffic } from '../support/traffic.ts';

const HOST6 = '2001:db8:1::1';
const PORT = 8088;
const SUBNET = '10.99.0.0/24';

describe('connections from IPv6 to a container with IPv4 only', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let lab: DockerLab;
  let out: Agent;
  let own: Agent;
  const servers: ChildProcess[] = [];

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    lab = await makeDockerLab(bin);
    const { host, outside } = lab;
    host.ip('addr', 'add', `${HOST6}/64`, 'dev', 'up0', 'nodad');
    outside.ip('addr', 'add', '2001:db8:1::9/64', 'dev', 'eth0', 'nodad');
    [out, own] = [lab.agent('out', outside), lab.agent('host', host)];
    const inside = lab.agent('c0', lab.container(0));
    for (const protocol of ['tcp', 'udp'] as const) await inside.serve(protocol, 80);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.kill('SIGKILL');
    lab?.[Symbol.dispose]();
  });

  const ports = (hostIp?: string) =>
    (['tcp', 'udp'] as const).map((protocol) => ({ host: PORT, container: 80, protocol, ...(hostIp && { hostIp }) }));
  const at = (address: string, who: string) =>
    (['tcp', 'udp'] as const).flatMap((protocol) => {
      const to = { protocol, address, port: PORT };
      return (address === '::1' ? [own] : [out, own]).map((from) => [from, to, who] as const);
    });
  const reached = (who: string) => assertTraffic([...at(HOST6, who), ...at('::1', who)]);

  it('are carried with proxy6to4, from outside and from the host, as long as the ports are published', async () => {
    const network = await lab.docker.createNetwork({ subnet: SUBNET, o: { proxy6to4: 'on' } });
    const endpoint = await lab.docker.start(network, lab.host, lab.container(0), { ports: ports() });
    await assertTraffic(at('192.0.2.1', 'c0'));
    await reached('c0');
    await lab.site.daemon.end('SIGKILL');
    await reached('blocked');
    await lab.site.start();
    await reached('c0');
    await lab.docker.stop(endpoint, lab.host, lab.container(0));
    await reached('blocked');
    assert.equal(lab.host.run('ss', '-Hlntu', `sport = ${PORT}`), '');
  });

  it('are not carried without it', async () => {
    const network = await lab.docker.createNetwork({ subnet: SUBNET });
    await lab.docker.start(network, lab.host, lab.container(0), { ports: ports() });
    await assertTraffic(at('192.0.2.1', 'c0'));
    await reached('blocked');
  });

  it('are carried at one address of the host, ::1 too', async () => {
    const network = await lab.docker.createNetwork({ subnet: SUBNET, o: { proxy6to4: 'on' } });
    await lab.docker.start(network, lab.host, lab.container(0), { ports: ports('::1') });
    await assertTraffic([...at('::1', 'c0'), ...at(HOST6, 'blocked'), ...at('192.0.2.1', 'blocked')]);
  });

  it('a host address of IPv6 is refused without it, with the way out', async () => {
    const network = await lab.docker.createNetwork({ subnet: SUBNET });
    for (const [i, [address, what]] of [
      ['::1', /host address ::1, container port 80\/tcp: the kernel does not lead .* -o proxy6to4=on/],
      [HOST6, /host address 2001:db8:1::1, container port 80\/tcp: the container has no IPv6 .* -o proxy6to4=on/],
    ].entries() as ArrayIterator<[number, [string, RegExp]]>) {
      const start = lab.docker.start(network, lab.host, lab.container(i + 1), { ports: ports(address) });
      await assert.rejects(start, (error) => error instanceof Refusal && what.test(error.message));
    }
  });

  it('a client that closes its sending side still gets the answer, whole', async () => {
    const network = await lab.docker.createNetwork({ subnet: SUBNET, o: { proxy6to4: 'on' } });
    await lab.docker.start(network, lab.host, lab.container(0), { ports: [{ host: PORT, container: 81 }] });
    const words = ['netns', 'exec', lab.container(0).name, process.execPath, '-e', SERVER];
    const server = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(server);
    await once(server.stdout, 'data');
    const answer = lab.outside.run(process.execPath, '-e', CLIENT);
    assert.equal(answer.trim(), String(8 << 20), 'bytes that came back');
  });
});

/** Answers each connection with what it got, once the client has sent its last. */
const SERVER = `
  require('node:net').createServer({ allowHalfOpen: true }, (one) => {
    const pieces = [];
    one.on('data', (piece) => pieces.push(piece)).on('end', () => one.end(Buffer.concat(pieces)));
  }).listen(81, () => console.log('up'));`;
const CLIENT = `
  const one = require('node:net').connect({ host: '${HOST6}', port: ${PORT}, allowHalfOpen: true });
  let size = 0;
  one.on('data', (piece) => { size += piece.length; }).on('end', () => console.log(size));
  one.end(Buffer.alloc(8 << 20));`;
