// Makes calls with the largest accepted configurations, in the network namespace of a test host. Prints the processor time
// of the longest turn of the event loop for each, as JSON.
import { LIMITS } from '../../../src/shared/config/limits.ts';
import type { FuzzTask } from './run.ts';
import { openService } from './service.ts';

const task: FuzzTask = JSON.parse(process.argv[2] ?? '');
const service = openService(task.stateDir, task.pod, task.path);
const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));

const NET = { cniVersion: '1.1.0', name: 'web', type: 'isthmus', bridge: 'isth0', isGateway: true };
const POOL = { ranges: [[{ subnet: '10.88.0.0/16' }]], dataDir: task.dataDir };
const NAMES = {
  nameservers: times(LIMITS.dns, (i) => `10.0.0.${i % 256}`),
  search: times(LIMITS.dns, (i) => `s${i}.test`),
};
const sets = times(LIMITS.rangeSets, (i) => [{ subnet: `10.${i}.0.0/24` }]);
const PORTS = times(LIMITS.ports, (i) => ({ hostPort: 10_000 + i, containerPort: 1 + i, protocol: 'tcp' }));
const keep = times(LIMITS.attachments, (i) => ({ containerID: `container-${i}`.padEnd(40, 'x'), ifname: 'eth0' }));
const result = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'veth0' }, { name: 'eth0', sandbox: task.pod }],
  ips: times(LIMITS.addresses, (i) => ({ address: `10.1.${i}.2/24`, interface: 1 })),
  routes: times(LIMITS.passedRoutes, (i) => ({ dst: `fd00:${i.toString(16)}::/32` })),
};

/** The attachment of these calls. */
const KEPT = { containerID: 'pod0', ifname: 'eth0' };

/** Configurations by what is at its limit. */
const CASES: Readonly<Record<string, { readonly plugin?: string; readonly config: object }>> = {
  'a plain network': { config: { ...NET, ipMasq: true, ipam: POOL } },
  'range sets': { config: { ...NET, ipam: { ...POOL, ranges: sets } } },
  ranges: {
    config: { ...NET, ipam: { ...POOL, ranges: [times(LIMITS.ranges, (i) => ({ subnet: `10.88.${i}.0/24` }))] } },
  },
  routes: {
    config: {
      ...NET,
      ipam: {
        ...POOL,
        routes: times(LIMITS.routes, (i) => ({ dst: `fd00:${i.toString(16)}::/32`, gw: 'fd88::1' })),
        ranges: [[{ subnet: 'fd88::/64' }]],
      },
    },
  },
  nonMasqueradeCIDRs: {
    config: {
      ...NET,
      ipMasq: true,
      ipam: POOL,
      nonMasqueradeCIDRs: times(LIMITS.exceptions, (i) => `10.${i >> 8}.${i & 255}.0/24`),
    },
  },
  'host ports': { config: { ...NET, ipam: POOL, runtimeConfig: { portMappings: PORTS } } },
  'one host port on many addresses': {
    config: {
      ...NET,
      ipam: POOL,
      runtimeConfig: {
        portMappings: times(LIMITS.ports, (i) => ({
          hostPort: 80,
          containerPort: 80,
          hostIP: `127.0.${i >> 8}.${i & 255}`,
        })),
      },
    },
  },
  conditions: {
    config: {
      ...NET,
      ipam: POOL,
      conditionsV4: times(LIMITS.conditions, () => 'ip saddr 10.0.0.0/8'),
      runtimeConfig: { portMappings: PORTS.slice(0, 64) },
    },
  },
  names: {
    config: {
      ...NET,
      ipam: POOL,
      dns: NAMES,
      runtimeConfig: { aliases: { web: times(LIMITS.aliases, (i) => `a${i}`) } },
    },
  },
  'values of no meaning': { config: { ...NET, ipam: POOL, args: { cni: { a: times(60_000, (i) => i) } } } },
  'a text of slashes': {
    plugin: 'bridge',
    config: {
      ...NET,
      type: 'bridge',
      ipam: { type: 'isthmus', subnet: '10.88.0.0/16', dataDir: `${task.dataDir}${'/'.repeat(16_000)}` },
    },
  },
  'attachments of a GC': { config: { ...NET, ipam: POOL, 'cni.dev/valid-attachments': [KEPT, ...keep.slice(1)] } },
  'a previous result': {
    plugin: 'portmap',
    config: { ...NET, type: 'portmap', prevResult: result, runtimeConfig: { portMappings: PORTS } },
  },
};

const COMMANDS = ['ADD', 'CHECK', 'STATUS', 'GC', 'DEL'] as const;
/** Of several attempts the shortest counts: others include a garbage collection or a first compilation. */
const ATTEMPTS = 5;

async function main(): Promise<void> {
  const found: Record<string, number> = {};
  for (let i = 0; i < ATTEMPTS; i++)
    for (const [title, { plugin = 'isthmus', config }] of Object.entries(CASES)) {
      let prevResult: unknown = 'prevResult' in config ? config.prevResult : undefined;
      for (const command of COMMANDS) {
        service.longestTurn();
        const answer = await service.run({
          plugin,
          command,
          config: { 'cni.dev/valid-attachments': [KEPT], ...config, prevResult },
        });
        await new Promise((resolve) => setImmediate(resolve));
        if (answer.code !== 0) throw new Error(`${title}: ${command}: ${answer.stdout}`);
        if (command === 'ADD') prevResult = JSON.parse(answer.stdout);
        const key = `${title}: ${command}`;
        found[key] = Math.min(found[key] ?? Number.POSITIVE_INFINITY, service.longestTurn());
      }
    }
  console.log(JSON.stringify(found));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
