import type { CniHost } from '../../support/cni-host.ts';
import type { BadInput } from './case.ts';
import { type Changes, PATH, PORT, prevResult } from './ports.ts';

function isthmus(title: string, top: Changes, says: readonly string[], rest: Partial<BadInput> = {}): BadInput {
  return { title: `isthmus: ${title}`, code: 7, says, top, ...rest };
}

/** Masquerading, policies, and where they contradict each other. */
const NETWORK: readonly BadInput[] = [
  isthmus('nonMasqueradeCIDRs alone', { nonMasqueradeCIDRs: ['10.0.0.0/8'] }, ['.nonMasqueradeCIDRs=', 'ipMasq']),
  isthmus('nonMasqueradeCIDRs with host bits', { ipMasq: true, nonMasqueradeCIDRs: ['10.0.0.0/8', '10.1.2.3/8'] }, [
    '.nonMasqueradeCIDRs[1]="10.1.2.3/8"',
    'host bits',
  ]),
  isthmus('nonMasqueradeCIDRs without length', { ipMasq: true, nonMasqueradeCIDRs: ['10.0.0.0'] }, [
    '.nonMasqueradeCIDRs[0]="10.0.0.0"',
  ]),
  isthmus('nonMasqueradeCIDRs as a text', { ipMasq: true, nonMasqueradeCIDRs: '10.0.0.0/8' }, [
    '.nonMasqueradeCIDRs="10.0.0.0/8"',
    'array',
  ]),
  isthmus('outboundAddr4 alone', { outboundAddr4: '10.88.0.1' }, ['.outboundAddr4="10.88.0.1"', 'ipMasq']),
  isthmus('outboundAddr4 of the other family', { ipMasq: true, outboundAddr4: 'fd00::1' }, [
    '.outboundAddr4="fd00::1"',
    'IPv4',
  ]),
  isthmus('outboundAddr6 of the other family', { ipMasq: true, outboundAddr6: '192.0.2.1' }, [
    '.outboundAddr6="192.0.2.1"',
    'IPv6',
  ]),
  isthmus('outboundAddr4 that is none', { ipMasq: true, outboundAddr4: 'eth0' }, ['.outboundAddr4="eth0"']),
  ...(
    [
      ['outboundAddr4', '0.0.0.0', 'unspecified'],
      ['outboundAddr4', '127.0.0.1', 'loopback'],
      ['outboundAddr4', '224.0.0.1', 'multicast'],
      ['outboundAddr6', 'ff02::1', 'multicast'],
    ] as const
  ).map(([key, text, kind]) =>
    isthmus(`${key} that no host has: ${text}`, { ipMasq: true, [key]: text }, [`.${key}="${text}"`, `it is ${kind}`]),
  ),
  isthmus('ipMasq as text', { ipMasq: 'true' }, ['.ipMasq="true"', 'boolean']),
  isthmus('an unknown ipMasqBackend', { ipMasq: true, ipMasqBackend: 'pf' }, ['.ipMasqBackend="pf"']),
  isthmus('internal with ipMasq', { internal: true, ipMasq: true }, ['.internal=true', 'ipMasq']),
  isthmus('internal with a policy', { internal: true, ingressPolicy: 'same-bridge' }, [
    '.ingressPolicy="same-bridge"',
    'internal',
  ]),
  isthmus('internal as text', { internal: 'yes' }, ['.internal="yes"', 'boolean']),
  isthmus('icc as text', { icc: 'no' }, ['.icc="no"', 'boolean']),
  isthmus('an unknown policy', { ingressPolicy: 'shut' }, ['.ingressPolicy="shut"'], { hint: 'same-bridge' }),
  isthmus('a policy that is a number', { ingressPolicy: 1 }, ['.ingressPolicy=1']),
  isthmus('an unknown backend', { firewall: { backend: 'pf' } }, ['.firewall.backend="pf"']),
  isthmus('a misspelt key of firewall', { firewall: { backand: 'none' } }, ['.firewall.backand=', 'no such key'], {
    hint: 'backend',
  }),
  isthmus('firewall as text', { firewall: 'nftables' }, ['.firewall="nftables"', 'object']),
  ...[
    { ipMasq: true },
    { ingressPolicy: 'isolated' },
    { internal: true },
    { runtimeConfig: { portMappings: [PORT] } },
  ].map((top) =>
    isthmus(`no backend, but ${Object.keys(top)[0]}`, { ...top, firewall: { backend: 'none' } }, [
      '.firewall.backend="none"',
    ]),
  ),
  isthmus(
    'ports without addresses',
    { ipam: undefined, isGateway: undefined, runtimeConfig: { portMappings: [PORT] } },
    [PATH, 'no address'],
    { hint: '.ipam' },
  ),
  isthmus(
    'ipMasq of driver null',
    { driver: 'null', bridge: undefined, isGateway: undefined, ipam: undefined, ipMasq: true },
    ['.ipMasq=true', 'driver "null"'],
  ),
  isthmus('a misspelt ipMasq', { ipmask: true }, ['.ipmask=true', 'no such key'], { hint: 'ipMasq' }),
];

/** The drop-in names alone. */
const CHAINED: readonly BadInput[] = [
  {
    title: 'portmap: alone',
    name: 'portmap',
    code: 7,
    says: ['.prevResult', 'chained'],
    top: { runtimeConfig: { portMappings: [PORT] } },
  },
  { title: 'firewall: alone', name: 'firewall', code: 7, says: ['.prevResult', 'chained'] },
  {
    title: 'firewall: an unknown policy',
    name: 'firewall',
    code: 7,
    says: ['.ingressPolicy="shut"'],
    top: { prevResult, ingressPolicy: 'shut' },
  },
  {
    title: 'firewall: an unknown backend',
    name: 'firewall',
    code: 7,
    says: ['.backend="pf"'],
    top: { prevResult, backend: 'pf' },
  },
  {
    title: 'bridge: an unknown ipMasqBackend',
    name: 'bridge',
    code: 7,
    says: ['.ipMasqBackend="pf"'],
    top: { ipMasq: true, ipMasqBackend: 'pf' },
  },
  {
    title: 'portmap: a namespace that is the host itself',
    name: 'portmap',
    code: 8,
    says: ['CNI_NETNS=', 'host itself'],
    top: { prevResult, runtimeConfig: { portMappings: [PORT] } },
    env: ({ ns }: CniHost) => ({ CNI_NETNS: ns.path }),
  },
];

/** Masquerading and isolation, and the chained plugins as such. */
export const FIREWALL: readonly BadInput[] = [...NETWORK, ...CHAINED];
