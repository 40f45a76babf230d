import { strict as assert } from 'node:assert';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniHost } from '../support/cni-host.ts';
import { type BridgeType, layer2Conf, type NetConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Caller, conf, defect, referenceKnowsCni11 } from './defect.ts';

/** Two networks on one bridge share a subnet only in parts. */
const LOWER = { ranges: [[{ subnet: '10.88.0.0/24', rangeEnd: '10.88.0.99' }]] };
const UPPER = { ranges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.100' }]] };
const ONE_ADDRESS = [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.9', rangeEnd: '10.88.0.9' }]];
const COLLIDING_NETWORKS = [
  ['web1', '0'],
  ['web', '10'],
] as const;
/** Pairs of (network, container, interface) whose parts are the same text when written one after the other. */
const COLLISIONS = [
  [
    ['web', 'a', 'beth0'],
    ['web', 'ab', 'eth0'],
  ],
  [
    ['web1', '0', 'eth0'],
    ['web', '10', 'eth0'],
  ],
] as const;

defect('D2: DEL when CNI_NETNS is a plain file (a bind mount that is gone)', {
  reference: (caller) => {
    const run = delWithPlainFile(caller);
    assert.equal(run.code, 1);
    assert.match(run.stdout, /unknown FS magic/);
    assert.deepEqual(leaseFiles(caller.host, 'web'), ['10.88.0.2']);
  },
  ours: (caller) => {
    const before = caller.host.snapshot();
    const run = delWithPlainFile(caller);
    assert.equal(run.code, 0, run.stdout);
    assertSame(caller.host.snapshot(), before);
  },
});

defect('D3: CHECK of a bridge without addresses', {
  reference: (caller) => {
    const run = checkLayer2(caller);
    assert.equal(run.code, 1);
    assert.equal(run.json?.msg, 'no plugin name provided');
  },
  ours: (caller) => {
    const run = checkLayer2(caller);
    assert.deepEqual({ code: run.code, stdout: run.stdout }, { code: 0, stdout: '' });
  },
});

defect('D5: an ADD that fails late', {
  pods: 2,
  reference: (caller) => {
    assert.notEqual(failLate(caller).code, 0);
    assert.match(caller.host.pod(0).ip('-br', 'link'), /^eth0/m);
  },
  ours: (caller) => {
    const { host, ...how } = caller;
    const before = host.snapshot();
    const failed = failLate(caller);
    assert.notEqual(failed.code, 0);
    assert.match(failed.json?.msg ?? '', /203\.0\.113\.1/);
    assertSame(host.snapshot(), before);
    host.ok({ ...how, command: 'DEL', pod: 0, config: conf(how, host) });
    for (const pod of [0, 1]) host.ok({ ...how, command: 'ADD', pod, config: conf(how, host) });
    ping(host.pod(0), '10.88.0.1');
  },
});

defect('D8: GC', {
  pods: 2,
  reference: ({ host, ...how }) => {
    host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host) });
    const config = { ...conf(how, host), cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
    const { code } = host.run({ ...how, command: 'GC', config });
    if (referenceKnowsCni11(host)) assert.equal(code, 0);
    else assert.equal(code, 1, 'a command that it does not know');
    assert.deepEqual(leaseFiles(host, 'web'), ['10.88.0.2']);
  },
  ours: ({ host, ...how }) => {
    const config = { ...conf(how, host), cniVersion: '1.1.0' };
    const before = host.snapshot();
    const kept = host.ok({ ...how, command: 'ADD', pod: 0, config });
    const withOne = host.snapshot();
    host.ok({ ...how, command: 'ADD', pod: 1, config });
    for (const key of ['cni.dev/valid-attachments', 'cni.dev/attachments']) {
      host.ok({ ...how, command: 'GC', config: { ...config, [key]: [{ containerID: 'pod0', ifname: 'eth0' }] } });
      assertSame(host.snapshot(), withOne);
      host.ok({ ...how, command: 'ADD', pod: 1, config });
    }
    host.ok({ ...how, command: 'CHECK', pod: 0, config: { ...config, prevResult: kept } });
    // libcni writes a Go slice without elements as null.
    host.ok({ ...how, command: 'GC', config: { ...config, 'cni.dev/valid-attachments': null } });
    assertSame(host.snapshot(), before);
  },
});

defect('D8: GC reaches a foreign IPAM plugin', {
  reference: ({ host, ...how }) => {
    const recorder = installRecorder(host);
    host.run({ ...how, path: recorder.path(how.dir), command: 'GC', config: recorder.config(how.name, host) });
    assert.deepEqual(recorder.calls(), []);
  },
  ours: ({ host, ...how }) => {
    const recorder = installRecorder(host);
    const call = { ...how, path: recorder.path(how.dir), config: recorder.config(how.name, host) };
    host.ok({ ...call, command: 'ADD', pod: 0 });
    host.ok({ ...call, command: 'GC', config: { ...call.config, 'cni.dev/valid-attachments': [] } });
    assert.deepEqual(
      recorder.calls().filter((one) => one === 'GC'),
      ['GC'],
    );
  },
});

defect('D9: STATUS of an exhausted pool', {
  reference: ({ host, ...how }) => {
    const config = conf(how, host, { ranges: ONE_ADDRESS });
    host.ok({ ...how, command: 'ADD', pod: 0, config });
    const run = host.run({ ...how, command: 'STATUS', config: { ...config, cniVersion: '1.1.0' } });
    assert.notEqual(run.json?.code, 50, 'a command that it does not know');
  },
  ours: ({ host, ...how }) => {
    const config = { ...conf(how, host, { ranges: ONE_ADDRESS }), cniVersion: '1.1.0' };
    assert.equal(host.run({ ...how, command: 'STATUS', config }).code, 0);
    host.ok({ ...how, command: 'ADD', pod: 0, config });
    const run = host.run({ ...how, command: 'STATUS', config });
    assert.equal(run.code, 1);
    assert.equal(run.json?.code, 50);
    assert.match(run.json?.msg ?? '', /10\.88\.0\.9|10\.88\.0\.0\/24/);
  },
});

defect('D16: two interfaces of one container on one network', {
  reference: ({ host, ...how }) => {
    const config = conf(how, host, { routes: [] }, { ipMasq: true });
    for (const ifName of ['eth0', 'eth1']) host.ok({ ...how, command: 'ADD', pod: 0, ifName, config });
    assert.match(host.ns.run('iptables', '-t', 'nat', '-S'), /MASQUERADE/);
    host.run({ ...how, command: 'DEL', pod: 0, ifName: 'eth1', config });
    assert.doesNotMatch(host.ns.run('iptables', '-t', 'nat', '-S'), /MASQUERADE/, "eth0's chain was emptied");
  },
  ours: ({ host, ...how }) => {
    const config = conf(how, host, { routes: [] }, { ipMasq: true });
    const before = host.snapshot();
    const kept = host.ok({ ...how, command: 'ADD', pod: 0, ifName: 'eth0', config });
    const withOne = host.snapshot();
    host.ok({ ...how, command: 'ADD', pod: 0, ifName: 'eth1', config });
    host.ok({ ...how, command: 'DEL', pod: 0, ifName: 'eth1', config });
    assertSame(host.snapshot(), withOne);
    host.ok({ ...how, command: 'CHECK', pod: 0, ifName: 'eth0', config: { ...config, prevResult: kept } });
    host.ok({ ...how, command: 'DEL', pod: 0, ifName: 'eth0', config });
    assertSame(host.snapshot(), before);
  },
});

defect('D16: identities that run into the same text when concatenated', {
  pods: 2,
  reference: ({ host, ...how }) => {
    const [a, b] = COLLIDING_NETWORKS.map(([name, containerId]) => ({
      containerId,
      config: { ...conf(how, host, { routes: [] }, { ipMasq: true }), name },
    }));
    assert.ok(a !== undefined && b !== undefined);
    host.ok({ ...how, command: 'ADD', pod: 0, ...a });
    const chains = host.ns.run('iptables', '-t', 'nat', '-S').match(/^-N CNI-/gm);
    host.run({ ...how, command: 'ADD', pod: 1, ...b });
    assert.deepEqual(host.ns.run('iptables', '-t', 'nat', '-S').match(/^-N CNI-/gm), chains, 'one chain for both');
  },
  ours: ({ host, ...how }) => {
    const before = host.snapshot();
    for (const [[networkA, idA, ifA], [networkB, idB, ifB]] of COLLISIONS) {
      const first = {
        containerId: idA,
        ifName: ifA,
        config: { ...conf(how, host, LOWER, { ipMasq: true }), name: networkA },
      };
      const other = {
        containerId: idB,
        ifName: ifB,
        config: { ...conf(how, host, networkA === networkB ? LOWER : UPPER, { ipMasq: true }), name: networkB },
      };
      const kept = host.ok({ ...how, command: 'ADD', pod: 0, ...first });
      host.ok({ ...how, command: 'ADD', pod: 1, ...other });
      host.ok({ ...how, command: 'DEL', pod: 1, ...other });
      host.ok({ ...how, command: 'CHECK', pod: 0, ...first, config: { ...first.config, prevResult: kept } });
      host.ok({ ...how, command: 'DEL', pod: 0, ...first });
      assertSame(host.snapshot(), before);
    }
  },
});

function delWithPlainFile({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = conf(how, host);
  host.ok({ ...how, command: 'ADD', pod: 0, config });
  const netns = join(host.dataDir, '..', 'plain');
  writeFileSync(netns, '');
  return host.run({ ...how, command: 'DEL', pod: 0, netns, config });
}

function checkLayer2({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = layer2Conf(how.name);
  const prevResult = host.ok({ ...how, command: 'ADD', pod: 0, config });
  return host.run({ ...how, command: 'CHECK', pod: 0, config: { ...config, prevResult } });
}

/** The gateway of the route is not on the link: the kernel refuses it after everything else is done. */
function failLate({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const routes = [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }];
  return host.run({ ...how, command: 'ADD', pod: 0, config: conf(how, host, { routes }) });
}

function leaseFiles(host: CniHost, network: string): string[] {
  return readdirSync(join(host.dataDir, network)).filter((file) => /^\d+\./.test(file));
}

/** An IPAM plugin that allocates one fixed address and records the commands it gets. */
function installRecorder(host: CniHost): {
  path(dir: string): string;
  config(type: BridgeType, host: CniHost): NetConf;
  calls(): string[];
} {
  const dir = join(host.dataDir, '..', 'recorder');
  const log = join(dir, 'log');
  mkdirSync(dir);
  writeFileSync(
    join(dir, 'recorder'),
    `#!/bin/sh
echo "$CNI_COMMAND" >>${log}
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.1.0","ips":[{"address":"10.99.0.7/24","gateway":"10.99.0.1"}]}'
[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}'
exit 0
`,
  );
  chmodSync(join(dir, 'recorder'), 0o755);
  writeFileSync(log, '');
  return {
    path: (plugins) => `${plugins}:${dir}`,
    config: (type) => ({ ...layer2Conf(type), cniVersion: '1.1.0', ipam: { type: 'recorder' } }),
    calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
  };
}
