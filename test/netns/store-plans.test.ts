import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeHost } from '../support/cni-host.ts';
import { type FuzzService, openService } from '../support/fuzz/service.ts';
import { enterNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

/** Tables with a row for each endpoint, lease, port, network, note or key. */
const GROWING = /\b(endpoints|leases|ports|networks|notes|cluster_keys|held)\b/;
/** A step that reads all rows of the boot, the host or the scope, or of one network. */
const WIDE = /^SCAN|\((boot=\? AND scope=\?|boot=\?|host=\?)( AND (network|name)[<>]\?)?\)/;
/** As many as there are host devices in pods. */
const FEW = /USING INDEX endpoints_with_device/;

interface Network {
  readonly driver: string;
  readonly device?: string;
  readonly runtimeConfig?: object;
}

const NETWORKS: readonly Network[] = [
  {
    driver: 'bridge',
    ...{ bridge: 'isth0', isGateway: true, ipMasq: true, ingressPolicy: 'same-bridge' },
    runtimeConfig: {
      portMappings: [
        { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
        { hostPort: 5353, containerPort: 53, protocol: 'udp' },
      ],
    },
  },
  { driver: 'ptp', ...{ ipMasq: true } },
  { driver: 'macvlan', ...{ master: 'up0' } },
  { driver: 'host-device', device: 'up1' },
  { driver: 'tap' },
];

describe('the store’s look-ups for a call', () => {
  for (const network of NETWORKS)
    it(`use an index for what they look for: ${network.driver}`, async function () {
      skipIf(this, netnsMissing());
      using host = makeHost(2);
      using _inside = enterNetns(host.ns.path);
      for (const name of ['up0', 'up1', 'up2']) {
        host.ns.ip('link', 'add', name, 'up', 'type', 'veth', 'peer', 'name', `${name}p`);
        host.ns.ip('link', 'set', `${name}p`, 'up');
      }
      const addresses = { ipam: { ranges: [[{ subnet: '10.88.0.0/24' }]] } };
      const config = (more: object = {}): object => ({
        ...{ cniVersion: '1.1.0', name: 'web', type: 'isthmus', ...network, ...addresses },
        ...more,
      });
      const run = async (service: FuzzService, command: string, pod: number, conf: object): Promise<string> => {
        const env = { CNI_CONTAINERID: `pod${pod}`, CNI_NETNS: host.pod(pod).path };
        const { code, stdout } = await service.run({ plugin: 'isthmus', command, config: conf, env });
        assert.equal(code, 0, `${command}: ${stdout}`);
        return stdout;
      };
      using first = openService(host.stateDir, host.pod(0).path, '');
      // Then the network is there, as for most calls.
      const other = { runtimeConfig: {}, ...(network.device !== undefined && { device: 'up2' }) };
      await run(first, 'ADD', 0, config(other));
      const statements = new Set<string>();
      const { prepare } = DatabaseSync.prototype;
      DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql, ...rest) {
        statements.add(sql);
        return prepare.call(this, sql, ...rest);
      };
      try {
        using service = openService(host.stateDir, host.pod(1).path, '');
        const prevResult: unknown = JSON.parse(await run(service, 'ADD', 1, config()));
        await run(service, 'CHECK', 1, config({ prevResult }));
        await run(service, 'DEL', 1, config());
      } finally {
        DatabaseSync.prototype.prepare = prepare;
      }
      using db = new DatabaseSync(join(host.stateDir, 'state.db'), { readOnly: true });
      const looks = [...statements].filter((sql) => /^\s*(SELECT|WITH|UPDATE|DELETE)/.test(sql));
      assert.ok(looks.length > 5, `${looks.length} look-ups`);
      const wide = looks.flatMap((sql) => {
        const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
        const found = steps.map(({ detail }) => String(detail)).filter((step) => GROWING.test(step));
        const isWide = (step: string): boolean => WIDE.test(step) && !FEW.test(step) && !/ LIMIT 1$/.test(sql);
        return found.filter(isWide).map((step) => `${step}: ${sql.replace(/\s+/g, ' ')}`);
      });
      assert.deepEqual(wide, []);
    });
});
