import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CniHost } from '../../support/cni-host.ts';
import type { BadInput } from './case.ts';

/** Objects that exist on the host and conflict. */
const HOST: readonly BadInput[] = [
  {
    title: 'an interface of that name is in the pod',
    env: () => ({ CNI_IFNAME: 'taken0' }),
    code: 4,
    says: ['CNI_IFNAME=taken0', 'exists'],
  },
  {
    title: 'lo as the name of the interface',
    env: () => ({ CNI_IFNAME: 'lo' }),
    code: 4,
    says: ['CNI_IFNAME=lo', 'exists'],
  },
  {
    title: 'ADD of what is attached already',
    env: (host) => ({ CNI_CONTAINERID: 'pod0', CNI_NETNS: host.pod(0).path }),
    code: 4,
    says: ['CNI_CONTAINERID=pod0', 'CNI_IFNAME=eth0', 'already attached'],
    hint: 'DEL',
  },
  {
    title: 'a bridge name that is lo',
    top: { name: 'other', bridge: 'lo' },
    code: 101,
    says: ['link lo', 'not a bridge'],
    hint: '.bridge',
  },
  {
    title: 'a bridge name that is a veth',
    top: { name: 'other', bridge: 'plain0' },
    code: 101,
    says: ['link plain0', 'veth'],
    hint: '.bridge',
  },
  {
    title: 'a bridge that has another address',
    top: { name: 'other', bridge: 'foreign0' },
    ipam: { ranges: [[{ subnet: '10.90.0.0/24' }]] },
    code: 101,
    says: ['link foreign0', '10.90.0.1/24', '10.70.0.1/24'],
    hint: '.forceAddress',
  },
  {
    title: 'another bridge for a network in use',
    top: { bridge: 'isth9' },
    code: 101,
    says: ['network web', 'isth0', 'isth9'],
    hint: 'another name',
  },
];

/** An IPAM plugin of this name that runs `script`, in CNI_PATH. */
const delegate = (type: string, script: string) => (host: CniHost) => {
  const dir = join(dirname(host.stateDir), 'delegates');
  const file = join(dir, type);
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\n${script}\n`);
  chmodSync(file, 0o755);
  return { CNI_PATH: dir };
};

const of = (type: string) => ({ top: { ipam: { type } } }) as const;

const DELEGATES: readonly BadInput[] = [
  {
    title: 'an IPAM plugin that is not installed',
    ...of('nowhere'),
    code: 4,
    says: ['CNI_PATH=', '"nowhere"', '.ipam.type'],
  },
  {
    title: 'an IPAM plugin without CNI_PATH',
    ...of('nowhere'),
    env: () => ({ CNI_PATH: undefined }),
    code: 4,
    says: ['CNI_PATH', '"nowhere"'],
  },
  ...['../host-local', '/usr/lib/cni/host-local', 'host local', '..'].map(
    (type): BadInput => ({ title: `an IPAM plugin ${type}`, ...of(type), code: 7, says: [`.ipam.type="${type}"`] }),
  ),
  {
    title: 'an IPAM plugin ../host-local under the name bridge',
    name: 'bridge',
    ...of('../host-local'),
    code: 7,
    says: ['.ipam.type="../host-local"'],
  },
  {
    title: 'an IPAM plugin that fails with an error of its own',
    ...of('failing'),
    env: delegate('failing', `echo '{"code":11,"msg":"no lease from 10.88.0.1","details":"ask again"}'; exit 1`),
    code: 11,
    says: ['IPAM plugin failing', 'no lease from 10.88.0.1'],
  },
  {
    title: 'an IPAM plugin that fails without a word',
    ...of('failing'),
    env: delegate('failing', 'exit 3'),
    code: 105,
    says: ['IPAM plugin failing', 'exit code 3'],
  },
  {
    title: 'an IPAM plugin that fails in several lines on stderr',
    ...of('failing'),
    env: delegate('failing', 'echo first >&2; echo second >&2; exit 1'),
    code: 105,
    says: ['IPAM plugin failing', 'first', 'second'],
    stderr: 'first\nsecond\n',
  },
  {
    title: 'an IPAM plugin that is killed',
    ...of('failing'),
    env: delegate('failing', 'kill -9 $$'),
    code: 105,
    says: ['IPAM plugin failing', 'SIGKILL'],
  },
  {
    title: 'an IPAM plugin that answers no JSON',
    ...of('odd'),
    env: delegate('odd', 'echo 10.88.0.9'),
    code: 105,
    says: ['IPAM plugin odd', 'not JSON'],
  },
  {
    title: 'an IPAM plugin that answers an address without length',
    ...of('odd'),
    env: delegate('odd', `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.88.0.9"}]}'`),
    code: 105,
    says: ['odd', '10.88.0.9', 'prefix length'],
  },
  {
    title: 'an IPAM plugin that gives no address',
    ...of('odd'),
    env: delegate('odd', `echo '{"cniVersion":"1.0.0","ips":[]}'`),
    code: 105,
    says: ['IPAM plugin odd', 'no address'],
  },
  {
    title: 'an IPAM plugin that gives an address twice',
    ...of('odd'),
    env: delegate('odd', `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.88.0.9/24"},{"address":"10.88.0.9/24"}]}'`),
    code: 100,
    says: ['10.88.0.9/24', 'exists'],
  },
];

export const HOST_AND_DELEGATES: readonly BadInput[] = [...HOST, ...DELEGATES];
