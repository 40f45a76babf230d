import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { ARRIVAL_MS, type FramePort, kindsFrom } from '../support/frames.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';

describe('a new container of dockerd', function () {
  this.timeout(180_000);
  describeArrivals(useTestHost());
});

/** Options of the networks with IPv6. dockerd 28 leaves the chain with which it masquerades IPv6. */
const DUAL_STACK = {
  ours: ['--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'],
  usual: [
    '--ipv6',
    '--subnet',
    '10.205.0.0/24',
    '--subnet',
    'fd10:205::/64',
    '-o',
    'com.docker.network.bridge.enable_ip_masquerade=false',
  ],
};

/** Whether the network has IPv6, and options of `docker create`. */
const CONTAINERS = {
  IPv4: { isDual: false, words: [] },
  'dual stack': { isDual: true, words: [] },
  'IPv4 with a MAC of its own': { isDual: false, words: ['--mac-address', '02:00:00:00:00:77'] },
  'dual stack with a MAC of its own': { isDual: true, words: ['--mac-address', '02:00:00:00:00:78'] },
};

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeArrivals(running: () => TestHost): void {
  describe(`with the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);

    it('is heard by its neighbour no more than with the built-in driver', async () => {
      const site = made();
      const ours = arrivals(site, 'ours', ['-d', DRIVER, ...OURS]);
      const theirs = arrivals(site, 'usual', ['-d', 'bridge']);
      // One command: a later start would be heard for a shorter time.
      site.docker('start', ...[...ours, ...theirs].map(({ container }) => container));
      await sleep(ARRIVAL_MS);
      const usual = heardOf(site, theirs);
      for (const [name, kinds] of Object.entries(heardOf(site, ours)))
        for (const kind of new Set(kinds)) {
          // Reports go out after random times, and one may tell two groups.
          const most = count(usual[name], kind) + (kind === 'MLD' ? 1 : 0);
          assert.ok(count(kinds, kind) <= most, `${name}: ${kinds.join()}; with the built-in driver: ${usual[name]}`);
        }
    });
  });
}

/** A container that has been created, and what its neighbour will receive. */
interface Arrival {
  readonly name: string;
  readonly container: string;
  readonly network: string;
  readonly port: FramePort;
}

/** The cases' containers on networks made with these options, each with a neighbour. */
function arrivals(site: DockerSite, which: keyof typeof DUAL_STACK, options: readonly string[]): Arrival[] {
  const networks = [false, true].map((isDual) => {
    const network = `${which}-${isDual ? 'dual' : 'ipv4'}`;
    const subnets = isDual ? DUAL_STACK[which] : [];
    site.docker('network', 'create', ...options, ...subnets, network);
    site.run(`neighbour-${network}`, '--network', network);
    return { network, isDual };
  });
  return Object.entries(CONTAINERS).map(([name, { isDual, words }]) => {
    const { network } = networks.find((one) => one.isDual === isDual) ?? assert.fail();
    const container = `${which}-${name.replaceAll(/[^a-z0-9]/gi, '')}`;
    site.docker('create', '--name', container, '--network', network, ...words, IMAGE);
    return { name, container, network, port: site.portIn(`neighbour-${network}`) };
  });
}

/** The kinds of the frames of each case's container. */
function heardOf(site: DockerSite, all: readonly Arrival[]): Record<string, readonly string[]> {
  const heard = all.map(({ name, container, network, port }) => {
    const mac = site.endpoint(container, network).MacAddress;
    return [name, kindsFrom(port.seen(), mac)] as const;
  });
  return Object.fromEntries(heard);
}

const count = (kinds: readonly string[] = [], kind: string): number => kinds.filter((one) => one === kind).length;
