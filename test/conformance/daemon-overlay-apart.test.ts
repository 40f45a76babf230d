import { strict as assert } from 'node:assert';
import { makeNetns, type TestNetns } from '../support/netns.ts';
import { describeOverlay, reachEachOther, reaches } from '../support/overlay-lab.ts';
import { canPing, ping } from '../support/ping.ts';
import { startAgent } from '../support/traffic.ts';

describeOverlay('what passes between overlay networks, hosts and the outside', { hosts: 2, pods: 3 }, (lab) => {
  for (const [n, mode] of (['per-host', 'shared'] as const).entries()) {
    it(`${mode}: keeps two internal networks apart`, async () => {
      const { members, overlay } = lab;
      const nets = ['one', 'two'].map((name, i) =>
        overlay.network(`${name}-${mode}`, { mode, internal: true }, { subnet: `10.${100 + 2 * n + i}.0.0/16` }),
      );
      const found = nets.map((net, pod) =>
        members.map((member) => member.add(pod, net)[0] ?? assert.fail('no address')),
      );
      for (const [pod, addresses] of found.entries()) await reachEachOther(members, pod, addresses);
      for (const { site } of members)
        for (const [pod, addresses] of found.toReversed().entries())
          for (const address of addresses) assert.equal(canPing(site.host.pod(pod), address), false, address);
      for (const member of members) for (const [pod, net] of nets.entries()) member.del(pod, net);
    });

    it(`${mode}: publishes ports of local pods, and leaves addresses within the network as they are`, async () => {
      const { overlay, host } = lab;
      const mappings = [{ hostPort: 8080, containerPort: 7400, protocol: 'tcp' }];
      const net = overlay.network(`web-${mode}`, { mode, ipMasq: true }, { subnet: `10.${110 + n}.0.0/16` });
      const published = { ...net, capabilities: { portMappings: true }, runtimeConfig: { portMappings: mappings } };
      const [server = ''] = host(0).add(0, published);
      const [client = ''] = host(1).add(0, net);
      await reaches(host(1), 0, server);
      using agents = new DisposableStack();
      const [serving, asking, outside] = [host(0), host(1)]
        .map(({ site }, i) => agents.use(startAgent(`pod${i}`, site.host.pod(0))))
        .concat(agents.use(startAgent('outside', overlay.underlay)));
      assert.ok(serving && asking && outside);
      overlay.underlay.ip('addr', 'replace', '192.0.2.200/24', 'dev', 'sw0');
      await serving.serve('tcp', 7400);
      assert.equal(await asking.probe({ protocol: 'tcp', address: server, port: 7400 }), `pod0 saw ${client}`);
      const out = await outside.probe({ protocol: 'tcp', address: host(0).address, port: 8080 });
      assert.equal(out, 'pod0 saw 192.0.2.200');
      host(0).del(0, published);
      host(1).del(0, net);
    });
  }

  for (const backend of ['nftables', 'iptables'])
    for (const [policy, isOpen] of [
      [{}, false],
      [{ ipMasq: true }, false],
      [{ ingressPolicy: 'open' }, true],
    ] as const)
      it(`per-host: containers of Docker's own bridge reach ${isOpen ? 'every pod' : 'no pod'} (${backend} ${JSON.stringify(policy)})`, async () => {
        const { overlay, members, host } = lab;
        const rules = { firewall: { backend }, ...policy };
        const net = overlay.network('web', { mode: 'per-host', ...rules }, { subnet: '10.100.0.0/16' });
        const { ns } = host(0).site.host;
        using docker = dockerBridge(ns);
        const pods = members.map((member) => member.add(0, net)[0] ?? assert.fail('no address'));
        await reachEachOther(members, 0, pods);
        // A way back, so that only the packet filter can stop an answer.
        const other = host(1).site.host.ns;
        const route = [DOCKER_SUBNET, 'via', host(0).address];
        other.ip('route', 'add', ...route);
        const seen = pods.map((address) => canPing(docker.container, address));
        other.ip('route', 'del', ...route);
        for (const member of members) member.del(0, net);
        assert.deepEqual(seen, [isOpen, isOpen], 'the pod of this host, and that of the other');
      });

  it('an internal network of mode per-host: nobody but its pods and the hosts, by whichever way', async () => {
    const { members, overlay, host } = lab;
    const shut = overlay.network('shut', { mode: 'per-host', internal: true }, { subnet: '10.130.0.0/16' });
    const open = overlay.network('open', { mode: 'per-host', ipMasq: true }, { subnet: '10.131.0.0/16' });
    const inner = members.map((member) => member.add(0, shut)[0] ?? assert.fail('no address'));
    const outer = members.map((member) => member.add(1, open)[0] ?? assert.fail('no address'));
    await reachEachOther(members, 0, inner);
    await reachEachOther(members, 1, outer);
    overlay.underlay.ip('addr', 'replace', '192.0.2.200/24', 'dev', 'sw0');
    ping(host(0).site.host.pod(1), '192.0.2.200');
    for (const { site } of members) {
      // Hosts reach pods of all hosts, as on every routed network.
      for (const address of inner) ping(site.host.ns, address);
      for (const address of inner) assert.equal(canPing(site.host.pod(1), address), false, `from outside: ${address}`);
      for (const address of [...outer, '192.0.2.200'])
        assert.equal(canPing(site.host.pod(0), address), false, `to the outside: ${address}`);
    }
    // Each host as a router of the pods of both.
    for (const router of members.map((member) => member.address)) {
      overlay.underlay.ip('route', 'replace', '10.130.0.0/16', 'via', router);
      for (const address of inner) assert.equal(canPing(overlay.underlay, address), false, `${address} via ${router}`);
    }
    overlay.underlay.ip('route', 'del', '10.130.0.0/16');
    for (const member of members) {
      member.del(0, shut);
      member.del(1, open);
    }
  });

  it('same-bridge and isolated networks of mode per-host: other networks are apart on all hosts', async () => {
    const { members, overlay } = lab;
    const nets = (['same-bridge', 'isolated'] as const).map((ingressPolicy, i) =>
      overlay.network(ingressPolicy, { mode: 'per-host', ingressPolicy }, { subnet: `10.${140 + i}.0.0/16` }),
    );
    const [same = [], alone = []] = nets.map((net, pod) =>
      members.map((member) => member.add(pod, net)[0] ?? assert.fail('no address')),
    );
    await reachEachOther(members, 0, same);
    for (const [i, { site }] of members.entries()) {
      for (const address of alone) assert.equal(canPing(site.host.pod(0), address), false, `same-bridge to ${address}`);
      for (const address of same) assert.equal(canPing(site.host.pod(1), address), false, `isolated to ${address}`);
      for (const address of alone.filter((_, j) => j !== i))
        assert.equal(canPing(site.host.pod(1), address), false, `isolated to its own: ${address}`);
    }
    for (const member of members) for (const [pod, net] of nets.entries()) member.del(pod, net);
  });

  it('two internal networks with one subnet, on the same hosts: each reaches its own', async () => {
    const { members, overlay } = lab;
    const nets = ['red', 'blue'].map((name) =>
      overlay.network(name, { mode: 'shared', internal: true }, { subnet: '10.150.0.0/24' }),
    );
    const found = nets.map((net, pod) => members.map((member) => member.add(pod, net)[0] ?? assert.fail('no address')));
    assert.deepEqual(found[0], found[1], 'the same addresses on both');
    for (const [pod, addresses] of found.entries()) {
      await reachEachOther(members, pod, addresses);
      using agents = new DisposableStack();
      const [server, client] = members
        .toReversed()
        .map(({ name, site }) => agents.use(startAgent(`${name} ${pod}`, site.host.pod(pod))));
      assert.ok(server && client);
      await server.serve('tcp', 7400);
      const answer = await client.probe({ protocol: 'tcp', address: addresses[1] ?? '', port: 7400 });
      assert.equal(answer, `host-b ${pod} saw ${addresses[0]}`);
    }
    const open = overlay.network('green', { mode: 'shared' }, { subnet: '10.150.0.0/16' });
    const { code, stdout } = members[0]?.site.run('ADD', { pod: 2, config: open }) ?? assert.fail();
    assert.equal(code, 1, stdout);
    assert.match(
      stdout,
      /network green: its subnet 10\.150\.0\.0\/16 overlaps 10\.150\.0\.0\/24 of network (red|blue)/,
    );
    const routed = overlay.network('green', { mode: 'per-host', internal: true }, { subnet: '10.150.0.0/24' });
    const again = members[0]?.site.run('ADD', { pod: 2, config: routed }) ?? assert.fail();
    assert.match(again.stdout, /network green: .* overlaps [\s\S]* of mode shared/);
    for (const member of members) for (const [pod, net] of nets.entries()) member.del(pod, net);
  });
});

const DOCKER_SUBNET = '172.18.0.0/16';

/** A bridge with the name and the address of one of Docker's, and a container on it. */
function dockerBridge(ns: TestNetns): Disposable & { readonly container: TestNetns } {
  using stack = new DisposableStack();
  const container = stack.use(makeNetns('box'));
  const bridge = 'br-0123456789ab';
  ns.ip('link', 'add', bridge, 'type', 'bridge');
  stack.defer(() => void ns.ip('link', 'del', bridge));
  ns.ip('addr', 'add', '172.18.0.1/16', 'dev', bridge);
  ns.ip('link', 'set', bridge, 'up');
  ns.ip('link', 'add', 'vbox', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', container.name);
  ns.ip('link', 'set', 'vbox', 'master', bridge, 'up');
  container.ip('addr', 'add', '172.18.0.2/16', 'dev', 'eth0');
  for (const link of ['lo', 'eth0']) container.ip('link', 'set', link, 'up');
  container.ip('route', 'add', 'default', 'via', '172.18.0.1');
  const kept = stack.move();
  return { container, [Symbol.dispose]: () => kept.dispose() };
}
