// Fuzzes calls of the daemon's service, in the network namespace of a test host. Prints how many it made.
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { assertAnswer } from './answers.ts';
import { mutated } from './mutated.ts';
import { type FuzzTask, fuzz } from './run.ts';
import { openService } from './service.ts';

const task: FuzzTask = JSON.parse(process.argv[2] ?? '');
const service = openService(task.stateDir, task.pod, task.path);
const RESULT = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'veth0' }, { name: 'eth0', mac: '0a:58:0a:58:00:02', sandbox: task.pod }],
  ips: [{ address: '10.88.0.2/24', gateway: '10.88.0.1', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.88.0.1' }],
  dns: { nameservers: ['10.88.0.1'] },
};
const ports = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 5353, containerPort: 53, protocol: 'udp' },
];
const COMMANDS = ['ADD', 'ADD', 'ADD', 'CHECK', 'STATUS', 'GC', 'DEL'] as const;

const CONFIGS: Readonly<Record<string, object>> = {
  isthmus: {
    cniVersion: '1.1.0',
    name: 'web',
    type: 'isthmus',
    bridge: 'isth0',
    isGateway: true,
    ipMasq: true,
    nonMasqueradeCIDRs: ['10.89.0.0/16'],
    ingressPolicy: 'same-bridge',
    mtu: 1400,
    vlanTrunk: [{ id: 7 }],
    dns: { nameservers: ['10.88.0.1'], search: ['example.test'] },
    args: { cni: { ips: ['10.88.0.20'] } },
    runtimeConfig: { mac: '0a:00:00:00:00:07', aliases: { web: ['a'] }, portMappings: ports, bandwidth: {} },
    ipam: {
      ranges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.9', gateway: '10.88.0.1' }], [{ subnet: 'fd88::/64' }]],
      routes: [{ dst: '0.0.0.0/0', gw: '10.88.0.1', mtu: 1300 }],
      dataDir: task.dataDir,
    },
    'cni.dev/valid-attachments': [{ containerID: 'x', ifname: 'eth0' }],
  },
  bridge: {
    cniVersion: '1.0.0',
    name: 'web',
    type: 'bridge',
    bridge: 'cni0',
    isGateway: true,
    ipMasq: true,
    ipam: { type: 'isthmus', subnet: '10.88.0.0/24', dataDir: task.dataDir, routes: [{ dst: '0.0.0.0/0' }] },
  },
};

/** Plugins of a chain, which get a result. */
const CHAINED: Readonly<Record<string, object>> = {
  portmap: {
    snat: true,
    markMasqBit: 13,
    conditionsV4: ['ip saddr 10.0.0.0/8'],
    runtimeConfig: { portMappings: ports },
  },
  bandwidth: { runtimeConfig: { bandwidth: { ingressRate: 8e6, ingressBurst: 8e5 } } },
  firewall: { ingressPolicy: 'same-bridge' },
  tuning: { sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net/ipv4/ip_forward': '0' }, promisc: true, txQLen: 9 },
  isthmus: { driver: 'null' },
};

/** The network's identity, which is all that a DEL needs. */
function nameOf(config: unknown): string | undefined {
  const name = typeof config === 'object' && config !== null && 'name' in config ? config.name : undefined;
  return typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name) ? name : undefined;
}

/** Makes the call, and after an ADD the DEL, which succeeds and leaves the host as it was. */
async function attempt(plugin: string, command: string, config: unknown, before: string): Promise<void> {
  assertAnswer(await service.run({ plugin, command, config }));
  if (command !== 'ADD') return;
  const gone = await service.run({ plugin, command: 'DEL', config });
  assertAnswer(gone);
  if (nameOf(config) === undefined) return;
  assert.equal(gone.code, 0, `DEL after ADD: ${gone.stdout}`);
  assert.equal(service.links(), before, 'links of the host');
}

const configs = fc.constantFrom(...Object.entries(CONFIGS));
const chained = fc.constantFrom(...Object.entries(CHAINED));
const command = fc.constantFrom(...COMMANDS);

const PROPERTIES: Readonly<Record<string, (before: string) => fc.IAsyncProperty<unknown[]>>> = {
  netconf: (before) => {
    const changed = configs.chain(([plugin, base]) => fc.tuple(fc.constant(plugin), mutated(base)));
    const any = fc.oneof(
      { weight: 9, arbitrary: changed },
      fc.tuple(fc.constant('isthmus'), fc.oneof(fc.json(), fc.string())),
    );
    return fc.asyncProperty(any, command, ([plugin, config], which) => attempt(plugin, which, config, before));
  },
  prevResult: (before) => {
    const changed = chained.chain(([plugin, more]) =>
      fc.tuple(
        fc.constant(plugin),
        mutated({ cniVersion: '1.0.0', name: 'web', type: plugin, ...more, prevResult: RESULT }),
      ),
    );
    return fc.asyncProperty(changed, command, ([plugin, config], which) => attempt(plugin, which, config, before));
  },
  delegate: (before) => {
    const { type: _, ...bridge } = CONFIGS.bridge as { type: string };
    const config = { ...bridge, type: 'bridge', ipam: { type: 'fuzzed' } };
    const error = { cniVersion: '1.0.0', code: 7, msg: 'no', details: 'x' };
    const answers = fc.oneof(
      mutated(RESULT).map((value) => JSON.stringify(value)),
      mutated(error).map((value) => JSON.stringify(value)),
      fc.json(),
      fc.string({ unit: 'binary' }),
    );
    return fc.asyncProperty(answers, fc.constantFrom(0, 0, 1, 255), async (answer, code) => {
      const script = `#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\ncat <<'FUZZ-END'\n${answer}\nFUZZ-END\nexit ${code}\n`;
      writeFileSync(join(task.path, 'fuzzed'), script, { mode: 0o755 });
      await attempt('bridge', 'ADD', config, before);
    });
  },
};

async function main(): Promise<void> {
  const before = service.links();
  // The first calls create what stays. A chained plugin's pod has an interface already.
  if (task.what === 'nothing')
    for (const [plugin, config] of Object.entries(CONFIGS)) await attempt(plugin, 'ADD', config, before);
  const property = PROPERTIES[task.what];
  if (property === undefined) return;
  console.log(`${task.what}: ${await fuzz(task, property(before))} inputs`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
