import type { Command } from 'commander';
import { attachmentKey } from '../../../src/shared/core/apply.ts';
import { deleteEndpoint } from '../../../src/shared/core/endpoints/delete-endpoint.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { isNoNamespace } from '../../../src/shared/host/failure.ts';
import { campName } from '../../../src/shared/model/attachment.ts';
import type { Endpoint } from '../../../src/shared/model/endpoint.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { writeStderr } from '../../../src/shared/runtime/context.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { pluginHost } from '../../../src/shared/runtime/plugin-host.ts';
import { listedEndpoint } from '../../../src/shared/store/listed-endpoints.ts';
import { remoteEndpoint } from '../../../src/shared/store/remote-notes.ts';
import { removeListed } from '../docker/lists/list-removal.ts';
import { dockerNames, type Named, ofContainer, titleOf, withName } from './names.ts';
import { printDone } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
Deletes what a container has left behind that is gone, where its runtime does
not: its interface, addresses, ports, and what plugins have of it. Containers
that may be running are refused.

Examples:
  isthmus endpoint rm 4f1c              by the beginning of an id
  isthmus endpoint rm --force 4f1c      although its plugin is gone for good
`;

interface RemoveOptions extends StateOptions {
  readonly force?: true;
}

/** Adds the verb `rm` to `endpoint`. */
export function addEndpointRemove(endpoint: Command): void {
  const remove = endpoint
    .command('rm')
    .alias('remove')
    .argument('<container...>', 'names or ids')
    .summary('remove the endpoints of containers that are gone')
    .option('-f, --force', 'forget what plugins do not delete');
  addStateDir(remove)
    .addHelpText('after', EXAMPLES)
    .action(async (wanted: readonly string[], options: RemoveOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      await printDone(wanted, 'endpoint', (text) => {
        const all = listEndpoints(core).map((info) => withName(info, names));
        return removeAll(core, ofContainer(all, text), options.force === true);
      });
    });
}

type Listed = Named<ReturnType<typeof listEndpoints>[number]>;

async function removeAll(core: CallCore, found: readonly Listed[], isForced: boolean): Promise<NetError[]> {
  const parts = found.flatMap(({ network, camp, id, interface: name }) =>
    core.store.endpoints.list(network).filter(({ attachment: { camp: its, containerId, ifName } }) => {
      return campName(its) === camp && containerId === id && (its === 'cnm' || ifName === name);
    }),
  );
  const title = found[0] === undefined ? '' : titleOf(found[0]);
  for (const part of parts) assertGone(core, part, title);
  const errors: NetError[] = [];
  // Those that others were chained to go last.
  for (const part of parts.toSorted((a, b) => Number(a.role === 'interface') - Number(b.role === 'interface')))
    errors.push(...(await removeOne(core, part, title, isForced)));
  return errors;
}

/** Throws NetError `conflict` for a container that may be running. */
function assertGone(core: CallCore, part: Endpoint, title: string): void {
  if (mayGo(core, part)) return;
  if (part.attachment.camp === 'cnm')
    throw inUse(title, 'Docker keeps it', 'Remove the container there: docker rm, docker network disconnect');
  const hint = 'Remove the container in its runtime: crictl rmp, podman rm, ctr task rm';
  throw inUse(title, `its namespace ${part.sandbox.path} is there, so that it may be running`, hint);
}

/** True for what no running container has. */
function mayGo({ host, store }: CallCore, { attachment, progress, sandbox }: Endpoint): boolean {
  if (attachment.camp === 'cnm') {
    const row = listedEndpoint(store.notes, attachment);
    return row !== undefined && row.progress !== 'ready';
  }
  if (progress === 'intent' || sandbox.path === '') return true;
  try {
    using ns = host.open(sandbox.path);
    return ns.id !== sandbox.id;
  } catch (thrown) {
    if (isNoNamespace(thrown)) return true;
    throw thrown;
  }
}

function inUse(title: string, what: string, hint: string): NetError {
  return fault.conflict('endpoint', `container ${title}`, what, hint);
}

async function removeOne(core: CallCore, part: Endpoint, title: string, isForced: boolean): Promise<NetError[]> {
  const failures = await attempt(core, part, false);
  const left = remoteEndpoint(core.store.notes, part.attachment);
  if (failures.length === 0 && left !== undefined && part.role === 'interface') {
    const { driver, ipam } = left.plugins;
    const what = `plugin ${driver ?? ipam} is not there to delete what it has`;
    failures.push(fault.unavailable('endpoint', `container ${title}`, what, 'Start the plugin'));
  }
  if (failures.length === 0) return [];
  if (!isForced) return [...failures, forceable(title)];
  for (const { message } of failures) console.error(`isthmus: forgotten: ${message}`);
  return await attempt(core, part, true);
}

function forceable(title: string): NetError {
  const what = 'it stays on record, and the daemon tries again';
  const hint = 'If its plugin is gone for good: isthmus endpoint rm --force';
  return fault.conflict('endpoint', `container ${title}`, what, hint);
}

async function attempt(
  core: CallCore,
  { attachment, role, sandbox }: Endpoint,
  isForced: boolean,
): Promise<NetError[]> {
  if (attachment.camp === 'cnm') {
    using _lock = await core.lock(attachmentKey(attachment));
    const row = listedEndpoint(core.store.notes, attachment);
    if (row === undefined || row.progress === 'ready') return [];
    const plugins = pluginHost({ env: process.env, stderr: writeStderr });
    return await removeListed({ ...core, plugins: () => Promise.resolve(plugins) }, row, isForced);
  }
  return await deleteEndpoint(core, {
    ...{ attachment, role, netns: sandbox.path, orphans: 'none', isHurried: true },
    ...(isForced ? { isForced } : {}),
    // An ADD that was under way may have ended.
    when: (row) => row === undefined || mayGo(core, row),
  });
}
