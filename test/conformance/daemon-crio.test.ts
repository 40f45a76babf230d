import { strict as assert } from 'node:assert';
import { type Crio, startCrio } from '../support/crio.ts';
import type { PodPort } from '../support/crio-hostports.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, type SiteCall } from '../support/daemon-site.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { type Attempt, isFree, isHeld } from '../support/stranger.ts';
import { type Agent, assertTraffic, startAgent, type Target } from '../support/traffic.ts';

const PORT = 8200;
const PORTS: readonly PodPort[] = (['tcp', 'udp'] as const).map((protocol) => ({
  ...{ hostPort: PORT, containerPort: 80, protocol },
}));
const HOST = '192.0.2.1';
const ATTEMPTS: readonly Attempt[] = (['tcp', 'udp'] as const).map((protocol) => ({
  ...{ protocol, address: '0.0.0.0', port: PORT },
}));

/** CRI-O is in no Debian (bookworm, trixie, sid): support/crio-child.ts does what its source does. */
describe('host ports of CRI-O', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let crio: Crio;
  let pods: readonly Agent[];
  let own: Agent;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin);
    const { host } = site;
    host.ns.ip('addr', 'add', `${HOST}/24`, 'dev', 'lo');
    await site.start();
    crio = startCrio(host.ns.path);
    own = startAgent('host', host.ns);
    pods = host.pods.map((ns, index) => startAgent(`pod${index}`, ns));
    for (const pod of pods) for (const protocol of ['tcp', 'udp'] as const) await pod.serve(protocol, 80);
  });
  afterEach(() => {
    for (const agent of [own, ...(pods ?? [])]) agent?.[Symbol.dispose]();
    crio?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  });

  const path = (): string => site.host.ns.path;
  const published = (config: object = site.config) => ({
    config: { ...config, capabilities: { portMappings: true }, runtimeConfig: { portMappings: PORTS } },
  });
  const run = (more: SiteCall = {}) => crio.run(site.call('ADD', more), PORTS);
  const stop = (more: SiteCall = {}) => crio.stop(site.call('DEL', more), PORTS);
  const leadTo = (who: string) =>
    assertTraffic(
      (['tcp', 'udp'] as const).map((protocol) => {
        const target: Target = { protocol, address: HOST, port: PORT };
        return [own, target, who] as const;
      }),
    );
  const areFree = (): boolean => ATTEMPTS.every((one) => isFree(path(), one));
  const links = (): string => site.host.ns.ip('-br', 'link', 'show', 'type', 'veth');

  it("lead to the pod by CRI-O's own rules, and are free after its removal", async () => {
    await run();
    await leadTo('pod0');
    assert.match(site.host.ns.run('ss', '-Hltnp', `sport = ${PORT}`), new RegExp(`pid=${crio.pid},`));
    await stop();
    await leadTo('blocked');
    assert.ok(areFree(), 'free');
    assert.equal(links(), '');
  });

  it('of a second pod are refused by CRI-O, and the first pod keeps its own', async () => {
    await run();
    await assert.rejects(run({ pod: 1 }), /cannot open hostport 8200: .*EADDRINUSE/);
    await leadTo('pod0');
    assert.equal(links().trim().split('\n').length, 1, links());
  });

  it('are refused to the pod of another runtime, which has them after the removal', async () => {
    await run();
    const { json } = site.run('ADD', { ...published(), pod: 1 });
    assert.match(json?.msg ?? '', new RegExp(`host port ${PORT}/tcp: .*\\(pid ${crio.pid}\\) listens on it`));
    await leadTo('pod0');
    await stop();
    site.ok('ADD', { ...published(), pod: 1 });
    await leadTo('pod1');
  });

  it('that another runtime published are refused to CRI-O', async () => {
    site.ok('ADD', { ...published(), pod: 1 });
    await assert.rejects(run(), /cannot open hostport 8200: .*EADDRINUSE/);
    await leadTo('pod1');
    assert.ok(
      ATTEMPTS.every((one) => isHeld(path(), one)),
      'held',
    );
  });

  it('that the configuration passes to the plugin too are left to CRI-O, and free after the removal', async () => {
    await run(published());
    await leadTo('pod0');
    assert.doesNotMatch(site.daemon.log(), /ports\.not\.held/);
    await stop(published());
    assert.ok(areFree(), 'free');
  });
});
