import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { git } from '../revision.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Outside of a clone: the time of files in packages must not be that of the build. */
const NO_DATE = 1_760_000_000;

/** What packages are made of. */
export interface Release {
  /** As Debian orders versions: a commit comes before the release that it leads to. */
  readonly version: string;
  /** Seconds since 1970, the same in each build of a commit. */
  readonly epoch: number;
}

/** Returns the release of this checkout: that of its tag, else one named by the commit. SOURCE_DATE_EPOCH is obeyed. */
export function readRelease(): Release {
  const { version } = manifest;
  const [time, hash] = git(ROOT, 'log', '-1', '--format=%ct %h').split(' ');
  const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? (time || NO_DATE));
  if (hash === undefined || git(ROOT, 'tag', '--points-at', 'HEAD', `v${version}`) !== '') return { version, epoch };
  const day = new Date(epoch * 1000).toISOString().replaceAll(/[-:T]/g, '').slice(0, 12);
  return { version: `${version}~git${day}.${hash}`, epoch };
}
