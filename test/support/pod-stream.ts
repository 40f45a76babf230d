import { existsSync, readFileSync } from 'node:fs';
import type { Attempt, TestHost } from './test-host.ts';

/** `sh -c CALL COMMAND ID`: a call with the first network's configuration, and at CHECK with the result of ADD. */
const CALL = `result=/run/isth/$1.json
body=$(busybox tr -d '\\n' </etc/cni/net.d/10-web.conflist | busybox sed -E 's/.*"plugins": \\[ *\\{(.*)\\} *\\]\\}$/\\1/')
previous=
[ "$0" != CHECK ] || previous="\\"prevResult\\":$(cat $result),"
echo "{\\"cniVersion\\":\\"1.0.0\\",\\"name\\":\\"web\\",$previous$body}" |
  CNI_COMMAND=$0 CNI_CONTAINERID=$1 CNI_NETNS=/run/netns/$1 CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin /opt/cni/bin/isthmus >/run/isth/said.$1
code=$?
[ $code = 0 ] || cat /run/isth/said.$1 >&2
[ "$0$code" != ADD0 ] || mv /run/isth/said.$1 $result
exit $code`;

/** `sh -c STREAM CALL`: pods come and go until a file says stop; prints every failure. */
const STREAM = `n=0
while ! [ -e /run/isth/stop ]; do
  n=$((n + 1))
  ip netns add pod$n
  sh -c "$0" ADD pod$n 2>&1 || echo "ADD $n failed"
  sh -c "$0" DEL pod$n 2>&1 || echo "DEL $n failed"
  ip netns delete pod$n
  echo $n >/run/isth/count
done`;

/** A call of a pod on the first network, through the installed launcher. The pod's namespace has its name. */
export function callPod(machine: TestHost, command: 'ADD' | 'CHECK' | 'DEL', pod: string): Attempt {
  return machine.attempt(['sh', '-c', CALL, command, pod]);
}

/** Pods that come and go, one after the other. */
export interface PodStream {
  /** How many have gone. */
  count(): number;
  /** Ends it. Returns what failed. */
  stop(): Promise<string>;
}

/** Starts the stream; some pods have gone already. One machine has one at a time. */
export async function startStream(machine: TestHost): Promise<PodStream> {
  machine.run('rm', '-f', '/run/isth/stop', '/run/isth/count', '/run/isth/log/stream');
  const file = machine.outside('/run/isth/count');
  const count = (): number => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0);
  const { ended } = await machine.start('stream', ['sh', '-c', STREAM, CALL], () => count() > 3);
  return {
    count,
    async stop() {
      machine.write('/run/isth/stop', '');
      await ended;
      return readFileSync(machine.outside('/run/isth/log/stream'), 'utf8');
    },
  };
}
