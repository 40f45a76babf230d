import { invalid } from '../../../src/shared/config/invalid.ts';
import { LIMITS } from '../../../src/shared/config/limits.ts';
import { parseNetworkList } from '../../../src/shared/config/network-list.ts';
import { readConfiguration } from '../../../src/shared/config/read-file.ts';
import type { Assigned } from '../../../src/shared/drivers/driver.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { type LinuxHost, openLinuxHost } from '../../../src/shared/host/linux-host.ts';
import { parseAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import { parsePrefix } from '../../../src/shared/model/prefix.ts';
import { configuredNetworks } from '../../../src/shared/runtime/configured-network.ts';
import { explainList } from '../../../src/shared/runtime/explain/chain.ts';
import { dryRun } from '../../../src/shared/runtime/explain/dry-run.ts';
import { formatScript, renderSteps } from '../../../src/shared/runtime/explain/script.ts';
import { printJson } from '../cli/output.ts';
import { writeOut } from '../cli/stdout.ts';
import { printDiff } from './diff.ts';
import { explainDocker } from './docker.ts';
import { sandboxName } from './names.ts';
import type { Explained, ExplainOptions } from './options.ts';
import { recordedOf } from './recorded.ts';
import { openSandbox } from './sandbox.ts';

/** Prints the plan of an ADD, or of a network of Docker. Returns the exit code. */
export async function explain(file: string | undefined, options: ExplainOptions): Promise<number> {
  const { docker, diff, output } = options;
  if (docker !== undefined && file !== undefined) {
    const what = 'there is a configuration file too';
    throw fault.badEnvironment('explain', `--docker '${docker}'`, what, 'Give one of them');
  }
  if (docker !== undefined && diff === true) {
    const hint = 'Leave it out. isthmus network inspect shows what there is';
    throw fault.badEnvironment(
      'explain',
      '--diff',
      'dockerd chooses the ids of a network, and names follow them',
      hint,
    );
  }
  using host = openLinuxHost(process.env);
  const explained =
    docker === undefined ? await explainFile(host, file, options) : await explainDocker(host, docker, options);
  if (diff === true) return await printDiff(host, explained, output);
  print(explained, output);
  return 0;
}

async function explainFile(host: LinuxHost, file: string | undefined, options: ExplainOptions): Promise<Explained> {
  const list = parseNetworkList(await textOf(file), file ?? 'stdin');
  const { container, ifname, publish, firewall, gateway = [] } = options;
  const attachment = { camp: 'cni', network: list.name, containerId: container, ifName: ifname } as const;
  const known = options.diff === true ? recordedOf(options.stateDir, host.identity, attachment) : {};
  const addresses = options.address ?? known.addresses ?? [];
  const netns = options.netns ?? known.netns ?? `/run/netns/${container}`;
  using inside = options.diff === true ? openSandbox(host, netns) : undefined;
  const run = dryRun(host, {
    netns,
    ...given({ inside }),
    configured: configuredNetworks(process.env),
    answer: (options.address ?? []).map((text, i) => assignedOf(text, gateway[i])),
  });
  const foreign = await explainList(run, list, {
    ...{ containerId: container, ifName: ifname, netns },
    args: options.args,
    offers: given({ portMappings: publish }),
    addresses,
    ...given({ backend: firewall }),
  });
  const types = list.plugins.map(({ type }) => type).join(', ');
  return {
    ...{ run, netns },
    head: [`ADD of container ${container}, interface ${ifname}, to network ${list.name} (${types})`],
    notes: foreign.map((type) => `plugin ${type} is another program's: what it does is not here`),
  };
}

/** An address and its gateway, as another program would give them. */
function assignedOf(text: string, gateway: string | undefined): Assigned {
  const address = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (address === undefined) throw invalid('--address', text, 'it is not an address', 'Write it as in 10.9.0.7/24');
  const via = gateway === undefined ? undefined : parseAddr(gateway);
  if (gateway !== undefined && via === undefined)
    throw invalid('--gateway', gateway, 'it is not an address', 'Write it as in 10.9.0.1');
  return { address, ...given({ gateway: via }) };
}

/** Reads the file, or stdin. Throws NetError `io`. */
async function textOf(file: string | undefined): Promise<string> {
  if (file === undefined || file === '-') {
    if (!process.stdin.isTTY) return await readStdin();
    const hint = 'Name a file, as in isthmus explain /etc/cni/net.d/10-web.conflist';
    throw fault.badEnvironment('explain', 'stdin', 'it is a terminal, and no file is named', hint);
  }
  try {
    return readConfiguration(file, { streams: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fault.io('explain', `file ${file}`, 'it cannot be read', undefined, { cause, reason });
  }
}

/** Throws NetError `decode` for more than a runtime would send. */
async function readStdin(): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin) {
    pieces.push(Buffer.from(piece));
    bytes += piece.length;
    if (bytes > LIMITS.stdin) throw fault.decode('config', 'stdin', `has more than ${LIMITS.stdin} bytes`);
  }
  return Buffer.concat(pieces).toString();
}

function print({ run, netns, head, notes }: Explained, output: ExplainOptions['output']): void {
  const name = sandboxName(netns);
  const steps = renderSteps(run.steps, name);
  if (output === 'json') {
    printJson({ what: head, notes, namespace: netns, steps });
    return;
  }
  const usesSandbox = run.steps.some(({ op }) => JSON.stringify(op).includes('"sandbox"'));
  const nothing = steps.length === 0 && notes.length === 0 ? ['Nothing has to be done.'] : [];
  writeOut(formatScript(steps, [...head, ...notes, ...nothing], usesSandbox ? name : undefined));
}
