import type { Command } from 'commander';
import type { ClusterInfo, ClusterNetworkInfo } from '../../../src/shared/ops/cluster.ts';
import { clusterCalls } from '../cluster-wire.ts';
import { addJoin } from './cluster-join.ts';
import { addLeave } from './cluster-leave.ts';
import { addOutput, type OutputOptions, printJson, printTable, type TableShape } from './output.ts';
import { runDirOption } from './state.ts';
import { writeOut } from './stdout.ts';

const STATUS_EXAMPLES = `
Tells whether this host is a member of its cluster, or why not; who else is, what is late, and what does not fit.
STATE of a host: present; joining; silent, which does not renew its session: its endpoints keep their addresses, and
their entries stay; withdrawn: silent for so long that its entries are not in the tables any more.
DRIFT is the number of entries that the kernel lacks or has too much. The daemon repairs it within a second.
OUTBOX is the number of changes that the store has not confirmed yet.

Examples:
  isthmus cluster status
  isthmus cluster status -o json |
    jq -r '.members[] | select(.state == "silent") | .name'
`;

const FORGET_EXAMPLES = `
Deletes all that the store has of a host that does not come back: its addresses are free then. Refused while the host
renews its session: run isthmus cluster leave there.

Examples:
  isthmus cluster forget node7
  isthmus cluster forget 0b9ac3f2-7d0a-4d59-9f6a-0c3f6a0f6d11   by its id, where two hosts have one name
`;

interface RunOptions {
  readonly runDir: string;
}

const MEMBERS: TableShape<ClusterInfo['members'][number]> = {
  headings: ['HOST', 'STATE', 'UNDERLAY', 'ID'],
  row: ({ name, state, underlay, id }) => [name, state, underlay.join(' '), id],
};

const NETWORKS: TableShape<ClusterNetworkInfo> = {
  headings: ['NETWORK', 'MODE', 'ENTRIES', 'CARRIED', 'DRIFT'],
  row: ({ name, id, mode, entries, carried, drift }) => [
    ...[name === '' ? id : name, mode, String(entries), String(carried)],
    drift === undefined ? '' : String(drift),
  ],
};

const LATE: TableShape<ClusterInfo['watches'][number]> = {
  headings: ['LATE', 'SINCE', 'WHY'],
  row: ({ prefix, lost }) => [prefix, lost === undefined ? '' : new Date(lost.since).toISOString(), lost?.why ?? ''],
};

const CONFLICTS: TableShape<ClusterInfo['conflicts'][number]> = {
  headings: ['CONFLICT', 'WHO HAS IT'],
  row: ({ key, holder }) => [key, holder],
};

/** Adds the verbs for clusters to `program`. */
export function addCluster(program: Command): void {
  const cluster = program.command('cluster').summary('show, join and leave a cluster of hosts');
  const status = cluster.command('status').summary('show the hosts, and what this one knows');
  addOutput(status)
    .addOption(runDirOption("the daemon's directory"))
    .addHelpText('after', STATUS_EXAMPLES)
    .action(async (options: OutputOptions & RunOptions) => show(options, await clusterCalls(options.runDir).status()));
  addJoin(cluster);
  addLeave(cluster);
  cluster
    .command('forget')
    .argument('<host>', 'name or id')
    .summary('delete what a host left that does not come back')
    .addOption(runDirOption("the daemon's directory"))
    .addHelpText('after', FORGET_EXAMPLES)
    .action(async (host: string, { runDir }: RunOptions) => {
      const keys = await clusterCalls(runDir).forget(host);
      writeOut(`${host}: ${keys} keys deleted\n`);
    });
}

function show({ output, format = output }: OutputOptions, info: ClusterInfo): void {
  if (format === 'json') {
    printJson(info);
    return;
  }
  const { cluster, host, isMember, obstacle, outbox, file, watches, conflicts, members, networks, keys } = info;
  const late = watches.filter(({ lost }) => lost !== undefined);
  const membership = isMember ? 'member' : `not a member: ${obstacle ?? 'it has not joined yet'}`;
  printTable([[cluster, host.name, membership, `${watches.length - late.length}/${watches.length}`, String(outbox)]], {
    headings: ['CLUSTER', 'HOST', 'MEMBERSHIP', 'WATCHES', 'OUTBOX'],
    row: (cells) => cells,
  });
  for (const [rows, shape] of [
    [members, MEMBERS],
    [networks, NETWORKS],
    [late, LATE],
    [conflicts, CONFLICTS],
  ] as const)
    printSection(rows, shape as TableShape<unknown>);
  if (keys !== undefined)
    writeOut(
      `\nkeys of encrypted networks: generation ${keys.generation}, since ${new Date(keys.since).toISOString()}\n`,
    );
  writeOut(`\n${file}, host ${host.id}\n`);
}

/** An empty section is left out. */
function printSection(rows: readonly unknown[], shape: TableShape<unknown>): void {
  if (rows.length === 0) return;
  writeOut('\n');
  printTable(rows, shape);
}
