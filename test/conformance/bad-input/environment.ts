import type { BadInput } from './case.ts';

const env = (variables: Readonly<Record<string, string | undefined>>) => () => variables;

/** CNI_ variables that are missing or malformed: code 4. */
export const ENVIRONMENT: readonly BadInput[] = [
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
      says: [`CNI_IFNAME=${name.replace('\t', '\\u0009')}`, 'no interface'],
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
