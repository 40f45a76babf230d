import type { Holder } from '../../host/host.ts';

/** `nginx (pid 812) listens on it`. */
export function listens(holder: Holder | undefined): string {
  return `${holder?.process ?? 'a process'} listens on it`;
}

/**
 * True for the conmon that podman started for this container: it runs as the same user, with `-c ID`, `--cid ID` or
 * `--cid=ID`. conmon(8): it holds each published port while the container lives.
 */
export function isConmonOf(holder: Holder | undefined, containerId: string): boolean {
  if (holder?.program !== 'conmon' || !holder.isOwnUser) return false;
  const { words } = holder;
  return words.some((word, i) => {
    if (word.startsWith('--cid=')) return word === `--cid=${containerId}`;
    return (word === '-c' || word === '--cid') && words[i + 1] === containerId;
  });
}
