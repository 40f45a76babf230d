import { strict as assert } from 'node:assert';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentOf } from '../../src/shared/config/document.ts';
import { formatSpec, type NetworkSpec, type SpecText } from '../../src/shared/config/network-spec.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import type { Json } from '../../src/shared/model/json.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';
import { type Call, readingOf } from '../../src/shared/runtime/cni/request.ts';
import { targetOf } from '../../src/shared/runtime/cni/targets.ts';
import { configuredNetworks } from '../../src/shared/runtime/configured-network.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { parseEnvironment } from '../../src/shared/runtime/environment.ts';
import { makeCore, makeFakeHost } from '../support/core.ts';

const ISTHMUS: Json = {
  type: 'isthmus',
  bridge: 'isth7',
  isGateway: true,
  ipMasq: true,
  internal: false,
  firewall: { backend: 'iptables' },
  ipam: {
    ranges: [
      [{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.10', gateway: '10.88.0.254' }, { subnet: '10.89.0.0/24' }],
      [{ subnet: 'FD00:88:0::/64', rangeEnd: 'fd00:88::FF' }],
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '192.0.2.0/24', gw: '10.88.0.254' }],
    dataDir: '/tmp/leases/',
  },
};
const DROP_IN: Json = {
  type: 'bridge',
  bridge: 'cni7',
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: 'iptables',
  ipam: { type: 'host-local', subnet: '10.90.0.0/24' },
};

describe('network spec of a CNI configuration', () => {
  let dir: string;
  let env: Environment;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'isth-conf-'));
    // The tests run in Node: a symlink with a plugin's name leads to this executable.
    symlinkSync(process.execPath, join(dir, 'host-local'));
    writeFileSync(join(dir, 'foreign'), '#!/bin/sh\n');
    chmodSync(join(dir, 'foreign'), 0o755);
    env = { ISTHMUS_CNI_CONF_DIR: dir, CNI_PATH: dir };
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const write = (file: string, content: unknown): void =>
    writeFileSync(join(dir, file), typeof content === 'string' ? content : JSON.stringify(content));
  const text = (spec: NetworkSpec | undefined): SpecText | undefined => spec && formatSpec(spec);
  const configured = (name: string): SpecText | undefined => text(configuredNetworks(env)(name));
  const list = (name: string, ...plugins: readonly unknown[]): object => ({ cniVersion: '1.0.0', name, plugins });

  /** The spec that an ADD with this configuration uses. */
  function specOfCall(element: Json): SpecText | undefined {
    const config = { cniVersion: '1.0.0', name: 'web', ...element };
    const called = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a', CNI_NETNS: '/x', CNI_IFNAME: 'eth0', CNI_PATH: dir };
    const call: Call = {
      plugin: pluginName(String(element.type)),
      variables: parseEnvironment(called),
      env: called,
      stderr: () => {},
      text: JSON.stringify(config),
      version: '1.0.0',
    };
    const parsed = parsePlugin(documentOf(config), readingOf(call, 'ADD'));
    const target = targetOf({ ...call, config: parsed }, makeCore(makeFakeHost()));
    return target.kind === 'endpoint' ? text(target.request.spec) : undefined;
  }

  it('has the bridge, the canonical pool, its scope, the routes and the rules', () => {
    write('10-web.conflist', list('web', ISTHMUS));
    const { options, rules, ...rest } = configured('web') ?? assert.fail();
    assert.deepEqual(rest, {
      ranges: [
        [{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.10', gateway: '10.88.0.254' }, { subnet: '10.89.0.0/24' }],
        [{ subnet: 'fd00:88::/64', rangeEnd: 'fd00:88::ff' }],
      ],
      scope: '/tmp/leases/web',
      routes: [{ dst: '0.0.0.0/0' }, { dst: '192.0.2.0/24', gateway: '10.88.0.254' }],
    });
    assert.ok(options.driver === 'bridge' && options.bridge === 'isth7' && options.isGateway);
    assert.deepEqual([rules?.backend, rules?.admit, rules?.options.masquerade?.except], ['iptables', true, []]);
  });

  it('is the same from the file and from a call', () => {
    const static4 = { ...DROP_IN, ipam: { type: 'static', addresses: [{ address: '10.90.0.2/24' }] } };
    symlinkSync(process.execPath, join(dir, 'static'));
    const configurations = [
      ISTHMUS,
      DROP_IN,
      { ...DROP_IN, ipMasq: false },
      { type: 'isthmus', firewall: { backend: 'none' }, ipam: { subnet: '10.90.0.0/24' } },
      { type: 'isthmus', firewall: { backend: 'none' } },
      { type: 'isthmus', firewall: { backend: 'iptables' }, ipam: { type: 'foreign' } },
      static4,
    ];
    for (const configuration of configurations) {
      write('web.conflist', list('web', configuration));
      const spec = configured('web');
      assert.ok(spec !== undefined);
      // Compared as text, because a call detects changes in the same way.
      assert.equal(JSON.stringify(specOfCall(configuration)), JSON.stringify(spec));
    }
  });

  it('has a foreign allocator and neither pool nor scope with foreign IPAM', () => {
    for (const type of ['foreign', 'missing', 'static']) {
      write('web.conflist', list('web', { ...ISTHMUS, ipam: { type, subnet: '10.88.0.0/24' } }));
      const { allocator, ranges, scope, routes } = configured('web') ?? assert.fail(type);
      assert.deepEqual([allocator, ranges, scope, routes], [type, [], undefined, []]);
    }
  });

  it('puts the ranges of the runtime before its own', () => {
    const runtime = { runtimeConfig: { ipRanges: [[{ subnet: '10.7.0.0/24' }]] }, capabilities: { ipRanges: true } };
    const spec = specOfCall({ ...DROP_IN, ...runtime });
    assert.deepEqual(spec?.ranges, [[{ subnet: '10.7.0.0/24' }], [{ subnet: '10.90.0.0/24' }]]);
  });

  it('does not depend on the pod', () => {
    const pod = { mac: '0a:00:00:00:00:01', portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    const capabilities = { mac: true, portMappings: true, ips: true, bandwidth: true };
    const runtimeConfig = { ...pod, ips: ['10.88.0.99/24'], bandwidth: { ingressRate: 800_000, ingressBurst: 80_000 } };
    const [plain, asked] = [
      specOfCall({ ...ISTHMUS, capabilities }),
      specOfCall({ ...ISTHMUS, capabilities, runtimeConfig }),
    ];
    assert.equal(JSON.stringify(asked), JSON.stringify(plain));
  });

  it('comes from the first element that parses, in the first file by name', () => {
    write('00-broken.conflist', '{ "name": "web", ');
    write('05-note.txt', list('web', { ...ISTHMUS, bridge: 'isth1' }));
    write('10-other.conflist', list('other', { ...ISTHMUS, bridge: 'isth2' }));
    const wrong = { ...ISTHMUS, bridge: 'isth3', ipam: { ranges: [[{ subnet: '10.88.0.1/24' }]] } };
    const misspelt = { ...ISTHMUS, brigde: 'isth4' };
    write('20-web.conflist', list('web', { type: 'macvlan' }, 7, wrong, misspelt, { ...ISTHMUS, driver: 'host' }));
    write('30-web.conf', { cniVersion: '1.0.0', name: 'web', ...DROP_IN, bridge: 'isth5' });
    write('40-web.json', { cniVersion: '1.0.0', name: 'web', ...ISTHMUS, bridge: 'isth6' });
    const bridgeOf = (spec: SpecText | undefined): string =>
      spec?.options.driver === 'bridge' ? spec.options.bridge : `${spec?.options.driver}`;
    assert.equal(bridgeOf(configured('web')), 'isth5');
    rmSync(join(dir, '30-web.conf'));
    assert.equal(bridgeOf(configured('web')), 'isth6');
    assert.equal(bridgeOf(configured('other')), 'isth2');
    assert.equal(configured('nobody'), undefined);
  });

  it('is refused, with file and place, if only a broken file has the network', () => {
    write('10-web.conflist', '{ "cniVersion": "1.0.0", "name": "web",, "plugins": [] }');
    const named = { name: 'NetError', kind: 'invalid-config' };
    assert.throws(() => configured('web'), {
      ...named,
      message: /10-web\.conflist: network web is in it, and it is not JSON: .*position 39/,
    });
    assert.equal(configured('other'), undefined, "a file of another network is in nobody else's way");
    write('10-web.conflist', list('web', { type: 'portmap' }, { ...ISTHMUS, isGatway: true }));
    assert.throws(() => configured('web'), { ...named, message: /web is in it: .*isGatway.*Did you mean isGateway\?/ });
    write('20-web.conflist', list('web', ISTHMUS));
    assert.notEqual(configured('web'), undefined, 'another file has it');
    write('20-web.conflist', list('db', { type: 'portmap' }));
    assert.equal(configured('db'), undefined, 'a list of others');
  });

  it('can have the null driver, and is undefined if the directory is missing', () => {
    write('web.conf', { name: 'web', type: 'isthmus', driver: 'null' });
    assert.deepEqual(configured('web'), { options: { driver: 'null' }, ranges: [], routes: [] });
    env = { ISTHMUS_CNI_CONF_DIR: join(dir, 'missing') };
    assert.equal(configured('web'), undefined);
  });
});
