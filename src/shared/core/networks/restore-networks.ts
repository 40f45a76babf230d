import type { Driver } from '../../drivers/driver.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { LinkState } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import type { EndpointRow, NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute, reverse } from '../execute.ts';
import { driverOf, networkAddressing } from './driver-of.ts';
import { planFor } from './network.ts';
import { deviceKey, isHeld, mergeUndo } from './record.ts';

/**
 * Every Network that somebody keeps is in the kernel, whether the host has been rebooted or somebody deleted its bridge,
 * and the host sides of its endpoints are ports of it. Goes on after a failure and returns all of them.
 */
export async function restoreNetworks(core: Core): Promise<NetError[]> {
  const { host, store } = core;
  const rows = store.networks.list();
  const held = rows.filter(isHeld);
  if (held.length === 0) return [];
  const { links } = host.observe(host.own, { links: 'all' });
  const endpoints = store.endpoints.list().filter(({ role, hostIf }) => role === 'interface' && links.has(hostIf));
  const errors: NetError[] = [];
  for (const { name, device } of held) {
    const sharing = new Set(rows.filter((row) => row.device === device).map((row) => row.name));
    const ports = endpoints.filter(({ attachment }) => sharing.has(attachment.network));
    try {
      using _lock = await core.lock(deviceKey(device));
      const row = store.networks.get(name);
      if (row !== undefined && isHeld(row)) errors.push(...(await restore(core, row, links, ports)));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'restore'));
    }
  }
  return errors;
}

/** For a caller that holds the lock of the device. */
async function restore(
  core: Core,
  row: NetworkRow,
  links: ReadonlyMap<string, LinkState>,
  ports: readonly EndpointRow[],
): Promise<NetError[]> {
  const { host, store } = core;
  const { name, device, spec } = row;
  const driver = spec === undefined ? undefined : driverOf(spec.options, name);
  if (spec === undefined || driver === undefined) return [];
  const { bootId } = host.identity;
  // What an earlier boot made is gone.
  const undo = row.bootId === bootId ? row.undo : [];
  const isLost = !links.has(device);
  const errors = isLost ? await removeRest(core, undo, links) : [];
  const rules = spec.rules === undefined ? undefined : { ...spec.rules, mappings: [] };
  const { plan } = await planFor(core, driver, rules, driver.complete(networkAddressing(spec)));
  if (plan.ops.length > 0 || row.bootId !== bootId) {
    store.transaction(() => store.networks.put({ ...row, bootId, undo: mergeUndo(plan.undo, undo) }), {
      durable: true,
    });
    await execute(core, [...plan.ops, ...(isLost ? loopbackRoutes(undo) : [])], { host: host.own });
    core.log.info('network.restored', { network: name, device });
  }
  return [...errors, ...reconnect(core, driver, device, links, ports)];
}

/** A device beside the bridge (that of a VLAN's gateway) is no use without it, and is made anew. */
function removeRest(core: Core, undo: readonly Op[], links: ReadonlyMap<string, LinkState>): Promise<NetError[]> {
  const rest = undo.filter((op) => op.op === 'link.delete' && links.has(op.name));
  return reverse(core, rest, { host: core.host.own });
}

/** Published ports were reachable over 127.0.0.1, by a setting that went with the bridge. */
function loopbackRoutes(undo: readonly Op[]): Op[] {
  return undo.flatMap((op) =>
    op.op === 'sysctl.set' && op.key.endsWith('/route_localnet') ? [{ ...op, value: '1' }] : [],
  );
}

/** Host sides that are no port of anything are ports of the bridge, as they were. */
function reconnect(
  core: Core,
  driver: Driver,
  device: string,
  links: ReadonlyMap<string, LinkState>,
  ports: readonly EndpointRow[],
): NetError[] {
  const { host } = core;
  const lost = ports.filter(({ hostIf }) => links.get(hostIf)?.master === undefined);
  if (lost.length === 0) return [];
  const view = host.observe(host.own, { links: [device] });
  return lost.flatMap(({ hostIf, plan }) => {
    const facts = { hostIf, ifName: '', mac: '', alias: '' };
    // One that was rebuilt from its interface has no plan of its own.
    const known = plan.ops.length > 0 ? plan.ops : driver.planLink(view, facts).ops;
    const asPort = known.filter(
      (op) => (op.op === 'port.set' || op.op === 'vlan.add' || op.op === 'vlan.delete') && op.name === hostIf,
    );
    const join: Op = { op: 'link.set', ns: 'host', name: hostIf, set: { master: device, up: true } };
    try {
      host.apply([join, ...asPort], { host: host.own });
      return [];
    } catch (thrown) {
      return [asNetError(thrown, 'restore')];
    }
  });
}
