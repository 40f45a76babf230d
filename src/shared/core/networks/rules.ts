import type { Addressing } from '../../drivers/driver.ts';
import {
  deviceRules,
  localnetKey,
  loopbackDevices,
  networkEntries,
  planNetworkRules,
  type Rules,
} from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import type { Attachment } from '../../model/attachment.ts';
import { type DeviceRules, hostSideOf } from '../../model/endpoint.ts';
import type { BridgeEntry, FirewallEntry } from '../../model/firewall.ts';
import type { Plan } from '../../model/op.ts';
import { mergeOwned, ownedOf } from '../../model/owned.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { lackOf } from '../diff.ts';
import { execute } from '../execute.ts';
import { EMPTY_VIEW } from '../view.ts';
import { deviceKey, isHeld } from './record.ts';
import { besideOthers, undoingAsked } from './shared-policy.ts';

/**
 * Ensures the entries that the network's endpoints share, and records them with the network: the row of the driver that
 * created it, or a row of our own if another plugin did.
 */
export async function ensureChainedRules(
  core: Core,
  network: string,
  device: string,
  rules: Rules,
  addressing: Addressing,
): Promise<void> {
  for (;;) {
    const carrier = core.store.networks.get(network)?.device ?? device;
    using _lock = await core.lock(deviceKey({ name: network, device: carrier }));
    // The network may have moved to another device while we waited.
    if ((core.store.networks.get(network)?.device ?? device) !== carrier) continue;
    return await completeRules(core, network, device, rules, addressing);
  }
}

/**
 * The entries of a plugin of a chain, where `device` is the attachment's own host side: its part has them, and they go
 * with it. Undefined for a device that others share, or that another plugin made.
 */
export function ownRules(
  core: Core,
  attachment: Attachment,
  device: string | undefined,
  rules: Rules,
  addressing: Addressing,
): DeviceRules | undefined {
  const row = core.store.endpoints.get(attachment, 'interface');
  if (device === undefined || row === undefined || hostSideOf(row)?.hostIf !== device) return undefined;
  return deviceRules(rules, device, addressing);
}

/** For a caller that holds the lock of the network's device. */
async function completeRules(
  core: Core,
  network: string,
  device: string,
  rules: Rules,
  addressing: Addressing,
): Promise<void> {
  const { host, store } = core;
  const known = store.networks.get(network);
  const plan = await missingRules(core, network, rules, device, addressing);
  const { bootId } = host.identity;
  const current =
    known?.bootId === bootId
      ? known
      : ofThisBoot(known, { name: network, driver: 'chained', device, bootId, owned: [] });
  const wanted = ownedOf(plan.undo);
  // Each plugin of a chain may have an admission of its own.
  const replacing = wanted.filter((one) => one.kind === 'entry' && one.entry.kind !== 'admit');
  const owned = mergeOwned(wanted, current.owned, replacing);
  const { deleting, ...rest } = current;
  const isComplete = plan.ops.length === 0 && owned.length === current.owned.length && deleting !== true;
  if (isComplete && current === known) return;
  const row = { ...rest, owned };
  store.transaction(() => store.networks.put(row), { durable: true });
  await execute(core, plan.ops, { host: host.own });
}

/** A Network with a holder outlives a boot, but nothing created for it does. Any other starts anew. */
function ofThisBoot(known: NetworkRow | undefined, anew: NetworkRow): NetworkRow {
  return known !== undefined && isHeld(known) ? { ...known, bootId: anew.bootId, owned: [] } : anew;
}

/** Throws NetError `drift` if an entry of the network is not in force. */
export async function assertRules(
  core: Core,
  network: string,
  rules: Rules,
  device: string,
  addressing: Addressing,
): Promise<void> {
  const [first] = (await missingRules(core, network, rules, device, addressing, true)).ops;
  if (first === undefined) return;
  const { what, hint } = lackOf(first);
  throw fault.drift('CHECK', `network on ${device}`, what, hint);
}

/** Plans the guards of the network's bridge that are not in force; undefined if it needs none. */
export async function missingGuards(core: Core, wanted: readonly BridgeEntry[]): Promise<Plan | undefined> {
  const missing = wanted.length === 0 ? [] : await core.firewall('bridge').missing(wanted);
  return missing.length === 0 ? undefined : planNetworkRules('bridge', missing);
}

/**
 * Plans the network's entries that are not in force. The undo has every admission, even if no foreign chain drops
 * anything yet: a later pass admits the device once one does. With `onlyDropped`, omits admissions where nothing drops.
 */
export async function missingRules(
  core: Core,
  network: string,
  rules: Rules,
  device: string,
  addressing: Addressing,
  onlyDropped = false,
  more: readonly FirewallEntry[] = [],
): Promise<Plan> {
  const asked = [...networkEntries(rules, device, addressing), ...more];
  const wanted = besideOthers(core, network, rules.backend, asked);
  const missing = wanted.length === 0 ? [] : await core.firewall(rules.backend).missing(wanted, onlyDropped);
  const keys = new Map(loopbackDevices(wanted).map((name) => [name, localnetKey(name)]));
  const { sysctls } = keys.size === 0 ? EMPTY_VIEW : core.host.observe(core.host.own, { sysctls: [...keys.values()] });
  const closed = [...keys].flatMap(([name, key]) => (sysctls.get(key) === '1' ? [] : [name]));
  const plan = undoingAsked(planNetworkRules(rules.backend, missing, closed), asked);
  const admissions = wanted.filter((entry) => entry.kind === 'admit' && !missing.includes(entry));
  return { ops: plan.ops, undo: [...plan.undo, ...planNetworkRules(rules.backend, admissions).undo] };
}
