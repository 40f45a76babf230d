import { randomUUID } from 'node:crypto';
import { flushRules, makeTables } from './docker.ts';
import type { DockerSite } from './docker-site.ts';

/** For `useTestHost`: the host is the same one at its next boot. */
export const SAME_HOST = { ISTHMUS_HOST_ID: 'isth-reboot' } as const;

const BOOT_ID = '/run/isth/boot_id';

/**
 * Leaves the host as a reboot after a power failure would. No process of dockerd, of ours or of a container runs. The
 * kernel has another boot id, no links but `lo` and the uplink, no rules, and does not forward. /run holds nothing of
 * theirs. The disk state of dockerd and ours remains. Nothing has been started again.
 */
export async function reboot({ host, daemons, docker, inspect }: DockerSite): Promise<void> {
  const running = docker('ps', '-q').split('\n').filter(Boolean);
  const pids = running.map((id) => String(inspect(id).State.Pid));
  await daemons.killDocker();
  await daemons.killPlugin();
  // The shim of a container is its parent.
  if (pids.length > 0) host.run('sh', '-c', KILL_SCRIPT, ...pids);
  host.write(BOOT_ID, `${randomUUID()}\n`);
  host.run('sh', '-c', LOSE_SCRIPT, BOOT_ID);
  flushRules(host);
  makeTables(host);
}

const KILL_SCRIPT = `for pid in "$0" "$@"; do
    kill -KILL $(sed -n 's/^PPid:\\t//p' /proc/$pid/status) $pid
  done
  for pid in "$0" "$@"; do while [ -e /proc/$pid ]; do sleep 0.02; done; done`;

/** The network namespaces of containers end with their last mount, and interfaces with them. */
const LOSE_SCRIPT = `set -e
  mountpoint -q /proc/sys/kernel/random/boot_id || mount --bind "$0" /proc/sys/kernel/random/boot_id
  umount -q -l /run/docker/netns/* || true
  umount -q -R -l /run/isth/docker || true
  rm -rf /run/docker /run/docker.pid /run/docker.sock /run/containerd /run/isthmus
  for name in $(ls /run/netns); do [ $name = outside ] || ip netns delete $name; done
  ip -br link | while read link rest; do
    [ $link = lo ] || [ \${link%@*} = up0 ] || ip link delete \${link%@*} 2>/dev/null || true
  done
  [ $(ip -br link | wc -l) = 2 ]
  sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0`;
