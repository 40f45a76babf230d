import { fault } from '../errors/fault.ts';
import type { Condition, Entry, Session, Snapshot } from '../store/cluster/cluster-store.ts';
import { hostKey, presenceKey, SETTINGS_KEY } from './keys.ts';
import type { Site } from './site.ts';
import {
  excerpt,
  formatHost,
  formatPresence,
  formatSettings,
  type Presence,
  parsePresence,
  parseSettings,
  type Settings,
} from './values.ts';
import { verify } from './verify.ts';

/** Seconds after which a host that does not renew its session is silent. */
export const SESSION_S = 30;

/**
 * Makes this host a member: its settings equal the cluster's, no other present host has its id, and the store has all
 * its entries. Its presence says so last; its peers then drop its entries of a former epoch. Throws NetError `conflict`
 * with both values or both names; `unavailable`.
 */
export async function join(site: Site, session: Session): Promise<void> {
  const snapshot = await site.store.list(SETTINGS_KEY);
  const { epoch } = snapshot;
  await agree(site, snapshot);
  await appear(site, epoch, session, false);
  await verify(site, epoch);
  await announce(site, epoch);
  await appear(site, epoch, session, true);
  site.epoch = epoch;
}

/** Puts the host's record, if the store has another one: after a boot, or with a new underlay address. */
export async function announce(site: Site, epoch: string): Promise<void> {
  const { id, ...record } = site.self;
  const key = hostKey(id);
  const value = formatHost(record);
  for (;;) {
    const found = (await site.store.list(key)).entries.get(key);
    if (found?.value === value) return;
    const { done } = await site.store.commit({ epoch, compare: [sameAs(key, found)], put: [{ key, value }] });
    if (done) return;
  }
}

/** The first host writes the settings, every other one compares. */
async function agree(site: Site, { entries, epoch }: Snapshot): Promise<void> {
  let found = entries.get(SETTINGS_KEY);
  if (found === undefined) {
    const put = [{ key: SETTINGS_KEY, value: formatSettings(site.settings) }];
    const committed = await site.store.commit({ epoch, compare: [{ kind: 'absent', key: SETTINGS_KEY }], put });
    if (committed.done) return;
    found = committed.found.find(({ key }) => key === SETTINGS_KEY);
  }
  const theirs = parseSettings(found?.value ?? '');
  if (theirs === undefined)
    throw fault.conflict(
      'cluster.join',
      'settings',
      `the cluster's are malformed: ${excerpt(found?.value ?? '')}`,
      `Delete key ${SETTINGS_KEY} from the store: the next host that joins puts its own`,
    );
  for (const [what, of] of SETTINGS) {
    const [ours, cluster] = [of(site.settings), of(theirs)];
    if (ours === cluster) continue;
    throw fault.conflict(
      'cluster.join',
      what,
      `${ours} on host ${site.self.name}, ${cluster} in the cluster`,
      `Set ${cluster} on this host`,
    );
  }
}

const SETTINGS: readonly (readonly [what: string, of: (settings: Settings) => string])[] = [
  ['UDP port', ({ port }) => String(port)],
  ['underlay', ({ underlay }) => `IPv${underlay}`],
  ['VNI range', ({ firstVni, lastVni }) => `${firstVni}-${lastVni}`],
];

/** Puts the presence, unless another host has this id. Replaces that of an earlier process of this boot. */
async function appear(site: Site, epoch: string, session: Session, isReady: boolean): Promise<void> {
  const { id, name, bootId } = site.self;
  const key = presenceKey(id);
  const value = formatPresence({ name, bootId, isReady });
  const put = [{ key, value, session }];
  let found = (await site.store.list(key)).entries.get(key);
  for (;;) {
    // Of an earlier try: to put it again would be news to every host.
    if (found?.value === value && found.session === session.id) return;
    const other = found === undefined ? undefined : parsePresence(found.value);
    if (other !== undefined && other.bootId !== bootId) throw cloned(site, other);
    const committed = await site.store.commit({ epoch, compare: [sameAs(key, found)], put });
    if (committed.done) return;
    found = committed.found.find((entry) => entry.key === key);
  }
}

function cloned({ self }: Site, other: Presence): Error {
  const who = other.name === self.name ? 'another boot of it' : `host ${other.name}`;
  return fault.conflict(
    'cluster.join',
    `host ${self.name}`,
    `${who} is in the cluster with the same id ${self.id} (boots ${self.bootId} and ${other.bootId})`,
    `If ${self.name} is a copy of ${other.name}, delete its host-id file and start again; after a quick reboot wait ${SESSION_S} s`,
  );
}

export function sameAs(key: string, found: Entry | undefined): Condition {
  return found === undefined ? { kind: 'absent', key } : { kind: 'version', key, version: found.version };
}
