import type { BadInput } from './case.ts';

const GC_KEY = 'cni.dev/valid-attachments';

/** Invalid prevResult. */
const RESULTS: readonly BadInput[] = [
  { title: 'prevResult that is a text', top: { prevResult: 'none' }, code: 7, says: ['.prevResult="none"'] },
  {
    title: 'prevResult that is a list, under the name bridge',
    name: 'bridge',
    top: { prevResult: [] },
    code: 7,
    says: ['.prevResult=[]'],
  },
  {
    title: 'prevResult with an address without length',
    top: { prevResult: { ips: [{ address: '10.88.0.9' }] } },
    code: 7,
    says: ['.prevResult.ips[0].address="10.88.0.9"', 'prefix length'],
  },
  {
    title: 'prevResult whose interfaces are no list',
    top: { prevResult: { interfaces: { name: 'eth0' } } },
    code: 7,
    says: ['.prevResult.interfaces={"name":"eth0"}', 'list'],
  },
  {
    title: 'prevResult with an interface without a name',
    top: { prevResult: { interfaces: [{ mac: '0a:58:0a:58:00:09' }] } },
    code: 7,
    says: ['.prevResult.interfaces[0]=', 'name'],
  },
  {
    title: 'prevResult with a route to nowhere',
    top: { prevResult: { routes: [{ gw: '10.88.0.1' }] } },
    code: 7,
    says: ['.prevResult.routes[0].dst'],
  },
  {
    title: 'prevResult of 0.2.0 with an address that is none',
    name: 'loopback',
    top: { cniVersion: '0.2.0', prevResult: { ip4: { ip: 'ten' } } },
    cniVersion: '0.2.0',
    code: 7,
    says: ['.prevResult.ip4.ip="ten"'],
  },
  { title: 'CHECK without prevResult', command: 'CHECK', code: 7, says: ['.prevResult', 'missing'] },
  {
    title: 'CHECK with prevResult null',
    command: 'CHECK',
    top: { prevResult: null },
    code: 7,
    says: ['.prevResult', 'missing'],
  },
  {
    title: 'CHECK of what was never attached',
    command: 'CHECK',
    top: { prevResult: { interfaces: [] } },
    code: 102,
    says: ['pod1', 'eth0', 'not attached', 'web'],
  },
  {
    title: 'CHECK in another namespace than that of ADD',
    command: 'CHECK',
    env: () => ({ CNI_CONTAINERID: 'pod0' }),
    top: { prevResult: { interfaces: [] } },
    code: 102,
    says: ['CNI_NETNS=', 'another namespace', 'pod0'],
  },
];

/** GC that does not say what is alive. */
const GARBAGE: readonly BadInput[] = [
  { title: 'GC without a list', command: 'GC', code: 7, says: [GC_KEY, 'missing'] },
  { title: 'GC with an object', command: 'GC', top: { [GC_KEY]: {} }, code: 7, says: [GC_KEY, '{}', 'list'] },
  {
    title: 'GC with a text in the list',
    command: 'GC',
    top: { [GC_KEY]: ['pod0'] },
    code: 7,
    says: [GC_KEY, '[0]', '"pod0"'],
  },
  {
    title: 'GC with an attachment without an interface',
    command: 'GC',
    top: { [GC_KEY]: [{ containerID: 'pod0' }] },
    code: 7,
    says: [GC_KEY, '[0]', 'ifname'],
  },
  {
    title: 'GC with an attachment without a container',
    command: 'GC',
    top: { 'cni.dev/attachments': [{ ifname: 'eth0' }] },
    code: 7,
    says: ['cni.dev/attachments', '[0]', 'containerID'],
  },
  {
    title: 'host-local GC without a list',
    name: 'host-local',
    command: 'GC',
    code: 7,
    says: [GC_KEY, 'missing'],
  },
];

export const RESULTS_AND_GARBAGE: readonly BadInput[] = [...RESULTS, ...GARBAGE];
