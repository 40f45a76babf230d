import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A foreign IPAM plugin that blocks until the test releases it. */
export interface SlowDelegate {
  /** `ipam.type`. */
  readonly type: string;
  /** The commands that it was called with and has begun, in order. */
  begun(): readonly string[];
  /** The commands that it has answered, in order. */
  ended(): readonly string[];
  /** ADD blocks until `release` or a signal; a stubborn one ignores SIGTERM. */
  hold(kind?: 'stubborn'): void;
  release(): void;
}

/** The plugin is in `dir`, under `type`. It gives the same address to everybody. */
export function slowDelegate(dir: string, type: string, address: string): SlowDelegate {
  const file = (suffix: string): string => join(dir, `${type}.${suffix}`);
  const answer = { cniVersion: '1.0.0', ips: [{ address }], routes: [], dns: {} };
  const script = `#!/bin/sh
cat >/dev/null
[ ! -e '${file('stubborn')}' ] || trap '' TERM
echo "$CNI_COMMAND" >>'${file('begun')}'
while [ "$CNI_COMMAND" = ADD ] && [ -e '${file('held')}' ]; do sleep 0.02; done
echo "$CNI_COMMAND" >>'${file('ended')}'
[ "$CNI_COMMAND" != ADD ] || echo '${JSON.stringify(answer)}'
`;
  for (const suffix of ['begun', 'ended', 'held', 'stubborn']) rmSync(file(suffix), { force: true });
  writeFileSync(join(dir, type), script);
  chmodSync(join(dir, type), 0o755);
  const lines = (suffix: string): readonly string[] =>
    existsSync(file(suffix)) ? readFileSync(file(suffix), 'utf8').trim().split('\n') : [];
  return {
    type,
    begun: () => lines('begun'),
    ended: () => lines('ended'),
    hold: (kind) => {
      if (kind === 'stubborn') writeFileSync(file('stubborn'), '');
      writeFileSync(file('held'), '');
    },
    release: () => rmSync(file('held'), { force: true }),
  };
}
