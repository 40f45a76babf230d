import { existsSync } from 'node:fs';
import type { Core } from '../../src/shared/core/core.ts';
import type { KernelChange } from '../../src/shared/host/changes.ts';
import type { EndpointRow, NetworkRow } from '../../src/shared/store/store.ts';

/**
 * Those of the changes that took something which the records say should be there. What a call did by itself is none: its
 * record went as well, or the link is as it should be by now.
 */
export function damageOf(core: Pick<Core, 'host' | 'store'>, changes: readonly KernelChange[]): KernelChange[] {
  const networks = core.store.networks.list();
  if (networks.length === 0) return [];
  const devices = new Set(networks.flatMap(devicesOf));
  const isDamage = linkJudge(core, devices);
  return changes.filter((change) => {
    if (change.kind === 'link') return isDamage(change.name);
    return change.kind === 'address' || change.kind === 'route' ? devices.has(change.name) : true;
  });
}

/** The bridge, and what was made beside it: the device of a VLAN's gateway. */
function devicesOf({ device, undo }: NetworkRow): string[] {
  return [device, ...undo.flatMap((op) => (op.op === 'link.delete' ? [op.name] : []))];
}

/** Endpoints are read when a link that is no network's is asked for first. */
function linkJudge({ host, store }: Pick<Core, 'host' | 'store'>, devices: ReadonlySet<string>) {
  let ports: ReadonlyMap<string, EndpointRow> | undefined;
  return (name: string): boolean => {
    const state = host.observe(host.own, { links: [name] }).links.get(name);
    if (devices.has(name)) return state?.up !== true;
    if (state?.up === true && state.master !== undefined) return false;
    ports ??= new Map(
      store.endpoints
        .list()
        .filter(isPort)
        .map((row) => [row.hostIf, row]),
    );
    const row = ports.get(name);
    // The veth of a container that ended goes with its namespace; the runtime's DEL is still to come.
    return row !== undefined && (state !== undefined || existsSync(row.sandbox.path));
  };
}

function isPort({ role, progress, hostIf }: EndpointRow): boolean {
  return role === 'interface' && progress === 'ready' && hostIf !== '';
}
