import { runLibnftables } from '../../src/shared/netlink/libnftables.ts';
import { EXAMPLE, PLUGIN } from './paths.ts';
import { compactJson, heading, milliseconds, show, table } from './print.ts';
import {
  askFrom,
  callPlugin,
  HOST_ADDRESS,
  links,
  makeOutside,
  type Network,
  OUTSIDE,
  type Pod,
  ping,
  type Result,
  readNetwork,
  run,
  serve,
  startTime,
} from './site.ts';

const PODS: readonly Pod[] = [
  { label: 'pod a', netns: 'isthmus-demo-a', hostPort: 8080 },
  { label: 'pod b', netns: 'isthmus-demo-b' },
];

/** A pod on the network, with the durations of its calls. */
interface Attached {
  readonly pod: Pod;
  readonly result: Result;
  readonly address: string;
  readonly gateway: string;
  readonly times: number[];
}

/** Runs inside the namespaces that demo.ts created: this network namespace is the host. */
function tour(stateDir: string): void {
  run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'isthmus-demo', '/run');
  run('ip', 'link', 'set', 'lo', 'up');
  makeOutside();
  const network = readNetwork();
  const bare = startTime(process.execPath, ['--eval', '0']);
  startTime(PLUGIN, []);

  console.log('Isthmus: dist/cni-plugin alone creates a network and two pods, without a daemon.');
  console.log('Private namespaces stand in for the host; nothing outside them changes.');

  heading('Network', `The configuration is ${EXAMPLE}, handed to the plugin as a runtime would:`);
  show(...compactJson(network.plugin));

  const attached = PODS.map((pod) => attach(network, pod, stateDir));
  pingAll(attached);
  for (const { pod, address } of attached) askAll(pod, address);
  checkAll(network, attached, stateDir);
  detachAll(network, attached, stateDir);

  heading('Timings', 'Each call is one process, from its start to its end.');
  table([
    ['', '>ADD', '>CHECK', '>DEL'],
    ...attached.map(({ pod, times }) => [pod.label, ...times.map((ms) => milliseconds(ms))]),
  ]);
  console.log();
  show(`For comparison, the same Node started to do nothing: ${milliseconds(bare)}.`);
  console.log();
  console.log('Next: sudo dist/cnm-shim install --dry-run shows how to install it; README.md has the rest.');
}

function attach(network: Network, pod: Pod, stateDir: string): Attached {
  heading(`ADD ${pod.label}`, `A new namespace, ${pod.netns}, gets an interface, an address and a route:`);
  run('ip', 'netns', 'add', pod.netns);
  const { value: result, ms } = callPlugin('ADD', network, pod, stateDir);
  const [ip] = result?.ips ?? [];
  if (result === undefined || ip === undefined) throw new Error(`ADD for ${pod.label} gave no address`);
  show(...compactJson(result));
  return { pod, result, address: ip.address.replace(/\/.*/, ''), gateway: ip.gateway, times: [ms] };
}

function pingAll(attached: readonly Attached[]): void {
  const why = "Pods reach each other, the host, and an outside that has no route to them: it sees the host's address.";
  heading('Ping', why);
  const rows = attached.flatMap(({ pod, gateway }) => {
    const others = attached.filter((other) => other.pod !== pod).map((other) => [other.pod.label, other.address]);
    return [...others, ['gateway', gateway], [OUTSIDE.label, OUTSIDE.address]].map(([name = '', address = '']) => {
      const { min, avg, max } = ping(pod, address);
      return [pod.label, name, address, ...[min, avg, max].map((ms) => milliseconds(ms, 3))];
    });
  });
  table([['from', 'to', 'address', '>rtt min', '>avg', '>max'], ...rows]);
}

/** Tries the published port from each place where it must be reachable. */
function askAll(pod: Pod, address: string): void {
  const { hostPort } = pod;
  if (hostPort === undefined) return;
  heading('Host port', `The runtime published port ${hostPort} of the host to port 80 of ${pod.label}.`);
  const places = [
    [OUTSIDE.label, OUTSIDE.netns, HOST_ADDRESS],
    ['the host itself', undefined, '127.0.0.1'],
    [pod.label, pod.netns, HOST_ADDRESS],
  ] as const;
  const rows = places.map(([from, netns, target]) => {
    serve(pod, `hello from ${address}`);
    return [from, `${target}:${hostPort}`, askFrom(netns, target, hostPort)];
  });
  table([['from', 'to', 'answer'], ...rows]);
}

function checkAll(network: Network, attached: readonly Attached[], stateDir: string): void {
  heading('CHECK', 'The plugin compares the kernel with the result of ADD.');
  for (const { pod, result, times } of attached) {
    times.push(callPlugin('CHECK', network, pod, stateDir, result).ms);
    show(`${pod.label}: as it should be`);
  }
}

function detachAll(network: Network, attached: readonly Attached[], stateDir: string): void {
  heading('DEL', 'Deletes interface, address and host port; with the last pod also the bridge and the rules.');
  for (const { pod, result, times } of attached) {
    times.push(callPlugin('DEL', network, pod, stateDir, result).ms);
    show(`${pod.label}: links ${links(pod.netns).join(', ')}; on the host ${links().join(', ')}`);
  }
  const left = links().filter((name) => name !== 'lo' && name !== 'uplink0');
  if (left.length > 0) throw new Error(`DEL left on the host: ${left.join(', ')}`);
  const { output: rules } = runLibnftables('list ruleset');
  if (rules !== '') throw new Error(`DEL left in the packet filter: ${rules}`);
}

try {
  tour(process.argv[2] ?? '');
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
