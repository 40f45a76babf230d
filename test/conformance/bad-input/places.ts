import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { CniHost } from '../../support/cni-host.ts';
import type { BadInput } from './case.ts';

const env = (variables: Readonly<Record<string, string | undefined>>) => () => variables;

/** A path beside the state directory, which the snapshot of the host does not cover. */
function beside(host: CniHost, name: string, make?: (path: string) => void): string {
  const path = join(dirname(host.stateDir), name);
  make?.(path);
  return path;
}

/** Invalid sandboxes: code 8. */
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

/** Unusable state directories, and other invalid values of this plugin's own variables. */
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
    title: 'ISTHMUS_STATE_DIR of another user',
    env: (host) => ({
      ISTHMUS_STATE_DIR: beside(host, 'foreign', (path) => {
        mkdirSync(path, { recursive: true });
        chownSync(path, 65534, 65534);
      }),
    }),
    code: 106,
    says: ['foreign', 'user 65534'],
  },
  {
    title: 'a state that a newer version has written',
    env: (host) => ({
      ISTHMUS_STATE_DIR: beside(host, 'newer', (path) => {
        mkdirSync(path, { recursive: true });
        using db = new DatabaseSync(join(path, 'state.db'));
        db.exec('CREATE TABLE future (x); PRAGMA user_version = 999');
      }),
    }),
    code: 11,
    says: ['newer', '999'],
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

export const PLACES: readonly BadInput[] = [...NAMESPACES, ...OWN];
