import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { type CalledNetwork, DockerCaller, Refusal } from '../support/docker-caller.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame, snapshot } from '../support/snapshot.ts';

type Json = Readonly<Record<string, unknown>>;

const TIMES = 8;
const SUBNET = '10.55.0.0/24';

describe('the same dockerd call several times at once', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let docker: DockerCaller;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin, { pods: 1 });
    await site.start();
    docker = new DockerCaller(join(site.runDir, 'docker.sock'));
  });
  afterEach(() => {
    docker?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  });

  const look = (): string => snapshot({ netns: [site.host.ns], stateDir: site.host.stateDir });
  const links = (kind: string): number => site.host.ns.ip('-o', 'link', 'show', 'type', kind).split('\n').length - 1;
  const atOnce = (method: string, body: Json): Promise<Json[]> =>
    Promise.all(Array.from({ length: TIMES }, () => docker.call(`NetworkDriver.${method}`, body)));

  it('has the effect of one call, from CreateNetwork to DeleteNetwork', async () => {
    const before = look();
    const creation = { subnet: SUBNET };
    const pools = await docker.pools(creation);
    const network: CalledNetwork = { id: randomBytes(32).toString('hex'), pools };
    await atOnce('CreateNetwork', docker.networkBody(network.id, creation, pools));
    assert.equal(links('bridge'), 1);

    const [address = ''] = await docker.requestAddresses(network);
    const ids = { NetworkID: network.id, EndpointID: randomBytes(32).toString('hex') };
    const portmap = [{ Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 }];
    const Options = { 'com.docker.network.portmap': portmap };
    const Interface = { Address: address, AddressIPv6: '', MacAddress: '' };
    const made = await atOnce('CreateEndpoint', { ...ids, Interface, Options });
    assert.equal(new Set(made.map((answer) => JSON.stringify(answer))).size, 1);
    assert.equal(links('veth'), 2);

    const joined = await atOnce('Join', { ...ids, SandboxKey: '', Options });
    assert.equal(new Set(joined.map((answer) => JSON.stringify(answer))).size, 1);
    await atOnce('ProgramExternalConnectivity', { ...ids, Options });
    const info = await docker.call('NetworkDriver.EndpointOperInfo', ids);
    assert.match(JSON.stringify(info), /8080/);

    for (const method of ['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint']) await atOnce(method, ids);
    await docker.call('IpamDriver.ReleaseAddress', { PoolID: pools[0]?.id, Address: address.split('/')[0] });
    await docker.releasePools(network);
    await atOnce('DeleteNetwork', { NetworkID: network.id });
    assertSame(look(), before);
  });

  it('accepts exactly one of several calls that differ', async () => {
    const id = randomBytes(32).toString('hex');
    const creation = { subnet: SUBNET, ownIpam: true };
    const pools = await docker.pools(creation);
    const bodies = [1400, 1450].map((mtu) => docker.networkBody(id, { ...creation, o: { mtu: String(mtu) } }, pools));
    const outcomes = await Promise.allSettled(
      Array.from({ length: TIMES }, (_, i) => docker.call('NetworkDriver.CreateNetwork', bodies[i % 2] ?? {})),
    );
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    assert.equal(refused.length, TIMES / 2);
    for (const error of refused) assert.ok(error instanceof Refusal && error.message.length > 20, String(error));
    assert.equal(links('bridge'), 1);
  });

  it('allocates one address or pool for each request', async () => {
    const asked = { AddressSpace: 'isthmus', Pool: SUBNET, SubPool: '', Options: {}, V6: false };
    const pools = await Promise.all(Array.from({ length: TIMES }, () => docker.call('IpamDriver.RequestPool', asked)));
    assert.equal(new Set(pools.map(({ PoolID }) => PoolID)).size, TIMES);
    const chosen = await Promise.all(
      Array.from({ length: TIMES }, () => docker.call('IpamDriver.RequestPool', { ...asked, Pool: '' })),
    );
    assert.equal(new Set(chosen.map(({ Pool }) => Pool)).size, TIMES);
    const address = (PoolID: unknown) =>
      docker.call('IpamDriver.RequestAddress', { PoolID, Address: '', Options: null });
    const addresses = await Promise.all(pools.flatMap(({ PoolID }) => [address(PoolID), address(PoolID)]));
    assert.equal(new Set(addresses.map(({ Address }) => Address)).size, 2 * TIMES);
  });
});
