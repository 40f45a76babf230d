import type { Moment } from '../store/cluster/cluster-store.ts';
import type { LocalStore } from '../store/store.ts';
import type { Copy } from './copy.ts';

const NOTE = 'cluster epoch';

type Notes = Pick<LocalStore, 'notes' | 'transaction'>;

/** The epoch in which all of this host's keys were there, and the last moment that it has seen of it. */
export function notedMoment({ notes }: Notes): Moment | undefined {
  const [, epoch, at = '0'] = /^(\S+)(?: (\d+))?$/.exec(notes.get(NOTE) ?? '') ?? [];
  return epoch === undefined ? undefined : { epoch, at: BigInt(at) };
}

export function noteEpoch(local: Notes, epoch: string): void {
  local.transaction(() => local.notes.put(NOTE, `${epoch} 0`), { durable: true });
}

/** Notes how far the copy is in the noted epoch. */
export function noteMoment(local: Notes, copy: Copy): void {
  const noted = notedMoment(local);
  if (noted === undefined) return;
  const mirrors = [copy.hosts, copy.presences, copy.networks, ...copy.tables().values()].filter(
    ({ epoch }) => epoch === noted.epoch,
  );
  const [at = 0n] = mirrors.map((mirror) => mirror.at).sort((a, b) => (a > b ? -1 : 1));
  if (at > noted.at) local.transaction(() => local.notes.put(NOTE, `${noted.epoch} ${at}`));
}
