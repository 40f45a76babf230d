import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CniHost } from '../../support/cni-host.ts';
import type { BadInput } from './case.ts';

const env = (variables: Readonly<Record<string, string | undefined>>) => () => variables;

/** A path beside the state directory, which the snapshot of the host does not cover. */
function beside(host: CniHost, name: string, make?: (path: string) => void): string {
  const path = join(dirname(host.stateDir), name);
  make?.(path);
  return path;
}

/** CNI_ variables that are missing or malformed: code 4. */
const VARIABLES: readonly BadInput[] = [
  {
    title: 'CNI_COMMAND in lower case',
    env: env({ CNI_COMMAND: 'add' }),
    code: 4,
    says: ['CNI_COMMAND=add', 'ADD, DEL, CHECK, STATUS, GC, VERSION'],
  },
  {
    title: 'CNI_COMMAND of another protocol',
    env: env({ CNI_COMMAND: 'UPDATE' }),
    code: 4,
    says: ['CNI_COMMAND=UPDATE'],
  },
  {
    title: 'ADD without CNI_CONTAINERID',
    env: env({ CNI_CONTAINERID: undefined }),
    code: 4,
    says: ['CNI_CONTAINERID', 'missing', 'ADD'],
  },
  { title: 'ADD with an empty CNI_CONTAINERID', env: env({ CNI_CONTAINERID: '' }), code: 4, says: ['CNI_CONTAINERID'] },
  {
    title: 'ADD without CNI_NETNS',
    env: env({ CNI_NETNS: undefined }),
    code: 4,
    says: ['CNI_NETNS', 'missing', 'ADD'],
  },
  {
    title: 'ADD without CNI_IFNAME',
    env: env({ CNI_IFNAME: undefined }),
    code: 4,
    says: ['CNI_IFNAME', 'missing', 'ADD'],
  },
  {
    title: 'ADD without any of them: all are named at once',
    env: env({ CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined }),
    code: 4,
    says: ['CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME', 'missing'],
  },
  {
    title: 'CHECK without CNI_NETNS',
    command: 'CHECK',
    env: env({ CNI_NETNS: undefined }),
    code: 4,
    says: ['CNI_NETNS', 'missing', 'CHECK'],
  },
  {
    title: 'DEL without CNI_CONTAINERID',
    command: 'DEL',
    env: env({ CNI_CONTAINERID: undefined }),
    code: 4,
    says: ['CNI_CONTAINERID', 'missing', 'DEL'],
  },
  {
    title: 'DEL without CNI_IFNAME',
    command: 'DEL',
    env: env({ CNI_IFNAME: undefined }),
    code: 4,
    says: ['CNI_IFNAME', 'missing', 'DEL'],
  },
  ...['../pod', '-pod', 'a b', 'pod\nmsg: fine', 'größe', '.hidden'].map(
    (id): BadInput => ({
      title: `CNI_CONTAINERID ${JSON.stringify(id)}`,
      env: env({ CNI_CONTAINERID: id }),
      code: 4,
      says: [`CNI_CONTAINERID=${id.replace('\n', ' ')}`, 'characters'],
    }),
  ),
  {
    title: 'CNI_IFNAME of 16 bytes',
    env: env({ CNI_IFNAME: 'eth0123456789012' }),
    code: 4,
    says: ['CNI_IFNAME=eth0123456789012', '15 bytes'],
  },
  {
    title: 'CNI_IFNAME of 14 characters that are 16 bytes',
    env: env({ CNI_IFNAME: 'ethäöabcdefghi' }),
    code: 4,
    says: ['CNI_IFNAME=ethäöabcdefghi', '15 bytes'],
  },
  ...['.', '..', 'a/b', 'a:b', 'a b', 'a\tb'].map(
    (name): BadInput => ({
      title: `CNI_IFNAME ${JSON.stringify(name)}`,
      env: env({ CNI_IFNAME: name }),
      code: 4,
      says: [`CNI_IFNAME=${name}`, 'no interface'],
    }),
  ),
  {
    title: 'DEL with a malformed CNI_IFNAME',
    command: 'DEL',
    env: env({ CNI_IFNAME: 'a/b' }),
    code: 4,
    says: ['CNI_IFNAME=a/b'],
  },
  { title: 'CNI_ARGS without =', args: 'IP', code: 4, says: ['CNI_ARGS=IP', '"IP"'] },
  { title: 'CNI_ARGS without a key', args: 'IgnoreUnknown=1;=10.88.0.9', code: 4, says: ['CNI_ARGS=', '"=10.88.0.9"'] },
  {
    title: 'CNI_ARGS with an unknown key',
    args: 'FOO=bar',
    code: 4,
    says: ['CNI_ARGS=FOO=bar', 'FOO'],
    hint: 'IgnoreUnknown=1',
  },
  {
    title: 'CNI_ARGS with unknown keys and IgnoreUnknown=0',
    args: 'IgnoreUnknown=0;FOO=bar;K8S_POD_NAME=web',
    code: 4,
    says: ['FOO, K8S_POD_NAME'],
  },
  {
    title: 'CNI_ARGS IP that is none',
    args: 'IP=banana',
    code: 4,
    says: ['CNI_ARGS IP="banana"', 'not an IP address'],
  },
  { title: 'CNI_ARGS IP above 255', args: 'IP=10.88.0.300', code: 4, says: ['CNI_ARGS IP="10.88.0.300"'] },
  { title: 'CNI_ARGS IP with leading zeros', args: 'IP=10.88.0.010', code: 4, says: ['CNI_ARGS IP="10.88.0.010"'] },
  { title: 'CNI_ARGS MAC that is none', args: 'MAC=0a:58', code: 4, says: ['CNI_ARGS MAC="0a:58"', 'MAC address'] },
  {
    title: 'CNI_ARGS MAC of a group',
    args: 'MAC=01:00:5e:00:00:01',
    code: 4,
    says: ['CNI_ARGS MAC="01:00:5e:00:00:01"', 'group'],
  },
];

/** Sandboxes that are none: code 8. */
const NAMESPACES: readonly BadInput[] = [
  {
    title: 'CNI_NETNS that is missing',
    env: env({ CNI_NETNS: '/run/netns/isth-nowhere' }),
    code: 8,
    says: ['/run/netns/isth-nowhere', 'no such file'],
  },
  {
    title: 'CNI_NETNS below a plain file',
    env: env({ CNI_NETNS: '/etc/hostname/net' }),
    code: 8,
    says: ['/etc/hostname/net', 'no such file'],
  },
  {
    title: 'CNI_NETNS that is a plain file',
    env: (host) => {
      const path = beside(host, 'plain', (file) => writeFileSync(file, ''));
      return { CNI_NETNS: path };
    },
    code: 8,
    says: ['plain', 'not a namespace'],
  },
  {
    title: 'CNI_NETNS that is a directory',
    env: env({ CNI_NETNS: '/run' }),
    code: 8,
    says: ['/run', 'not a namespace'],
  },
  {
    title: 'CNI_NETNS that is a device',
    env: env({ CNI_NETNS: '/dev/null' }),
    code: 8,
    says: ['/dev/null', 'not a namespace'],
  },
  {
    title: 'CNI_NETNS of another kind',
    env: env({ CNI_NETNS: '/proc/self/ns/mnt' }),
    code: 8,
    says: ['/proc/self/ns/mnt', 'another kind'],
  },
  {
    title: "the host's own namespace",
    env: (host) => ({ CNI_NETNS: host.ns.path }),
    code: 8,
    says: ['CNI_NETNS=', 'host itself'],
  },
  {
    title: "the host's own namespace under the name bridge",
    name: 'bridge',
    env: (host) => ({ CNI_NETNS: host.ns.path }),
    code: 8,
    says: ['CNI_NETNS=', 'host itself'],
  },
  {
    title: "the host's own namespace for loopback",
    name: 'loopback',
    env: (host) => ({ CNI_NETNS: host.ns.path }),
    code: 8,
    says: ['CNI_NETNS=', 'host itself'],
  },
  {
    title: 'loopback in a namespace that is missing',
    name: 'loopback',
    env: env({ CNI_NETNS: '/run/netns/isth-nowhere' }),
    code: 8,
    says: ['/run/netns/isth-nowhere', 'no such file'],
  },
  {
    title: 'driver host in a pod',
    top: { driver: 'host', bridge: undefined, isGateway: undefined, ipam: undefined },
    code: 8,
    says: ['CNI_NETNS=', 'host driver'],
    hint: 'driver "bridge"',
  },
];

/** Where the state cannot be kept, and what else this plugin's own variables can get wrong. */
const OWN: readonly BadInput[] = [
  {
    title: 'ISTHMUS_LOG of no level',
    env: env({ ISTHMUS_LOG: 'loud' }),
    code: 4,
    says: ['ISTHMUS_LOG=loud'],
    hint: 'debug',
  },
  {
    title: 'ISTHMUS_STATE_DIR that is relative',
    env: env({ ISTHMUS_STATE_DIR: 'state' }),
    code: 4,
    says: ['ISTHMUS_STATE_DIR=state', 'absolute'],
  },
  {
    title: 'ISTHMUS_STATE_DIR that is a file',
    env: (host) => ({ ISTHMUS_STATE_DIR: beside(host, 'plain', (file) => writeFileSync(file, '')) }),
    code: 106,
    says: ['plain', 'not a directory'],
  },
  {
    title: 'ISTHMUS_STATE_DIR below a file',
    env: (host) => ({
      ISTHMUS_STATE_DIR: join(
        beside(host, 'plain', (file) => writeFileSync(file, '')),
        'state',
      ),
    }),
    code: 106,
    says: ['plain/state', 'cannot be made'],
    hint: 'ISTHMUS_STATE_DIR',
  },
  {
    title: 'ISTHMUS_STATE_DIR that is a symbolic link',
    env: (host) => ({
      ISTHMUS_STATE_DIR: beside(host, 'link', (path) => {
        mkdirSync(`${path}-target`, { recursive: true });
        symlinkSync(`${path}-target`, path);
      }),
    }),
    code: 106,
    says: ['link', 'symbolic link'],
  },
];

export const ENVIRONMENT: readonly BadInput[] = [...VARIABLES, ...NAMESPACES, ...OWN];
