import type { Facts, PathFacts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';
import { count } from './network.ts';

const LOOPBACK = 'loopback';

/** Boots of this host, or of one that was part of an earlier boot, that are over. */
function staleBoots({ state, identity }: Facts): Facts['state']['boots'] {
  const { hostId, bootId } = identity;
  return state.boots.filter(({ host, boot, endpoints, leases }) => {
    if (boot === bootId || endpoints + leases === 0) return false;
    return host === hostId || host.includes(':');
  });
}

export const FILE_RULES: readonly Rule[] = [
  {
    name: 'state-broken',
    check: ({ state }) =>
      state.broken === undefined
        ? []
        : [
            {
              level: 'error',
              subject: `file ${state.dir}/state.db`,
              what: `it cannot be read: ${state.broken}`,
              why: 'The next call sets it aside and begins anew: addresses come from the kernel, published ports are lost',
              cure: `if there is a copy: put it back; else: isthmus reload`,
            },
          ],
  },
  {
    name: 'state-unusable',
    check: ({ state, paths, uid }) => {
      // Another owner is a finding of its own.
      const isTold = paths.some((one) => one.path.startsWith(state.dir) && (one.uid !== uid || one.is !== one.wanted));
      if (state.unusable === undefined || isTold) return [];
      return [
        {
          level: 'error',
          subject: `directory ${state.dir}`,
          what: state.unusable,
          why: 'Every call that needs the state fails',
          cure: 'look at the disk (df, journalctl -k) and at who holds the file (fuser -v)',
        },
      ];
    },
  },
  {
    name: 'state-set-aside',
    check: ({ state }) =>
      state.aside.length === 0
        ? []
        : [
            {
              level: 'warning',
              subject: `directory ${state.dir}`,
              what: `a broken state was set aside: ${state.aside.join(', ')}`,
              why: 'Ports that were published before are not on record: they work until their container is deleted',
              cure: `look why the disk or the file broke (journalctl -k), then: rm ${state.dir}/state.db.corrupt-*`,
            },
          ],
  },
  {
    name: 'state-newer',
    check: ({ state }) =>
      state.newerSchema === undefined
        ? []
        : [
            {
              level: 'error',
              subject: `file ${state.dir}/state.db`,
              what: `a newer version has written it (schema ${state.newerSchema})`,
              why: 'Every call of this version fails with code 11',
              cure: 'install that version again',
            },
          ],
  },
  {
    name: 'state-of-another-boot',
    check: (facts) => {
      const { state, identity } = facts;
      const stale = staleBoots(facts);
      const own = stale.filter(({ host }) => host === identity.hostId);
      const rest = stale.filter(({ host }) => host !== identity.hostId);
      const total = (all: typeof stale): string =>
        `${count(sum(all, 'endpoints'), 'endpoint')} and ${count(sum(all, 'leases'), 'lease')}`;
      const found: Found[] = [];
      if (own.length > 0)
        found.push({
          level: 'warning',
          subject: `state ${state.dir}`,
          what: `it has ${total(own)} of an earlier boot`,
          why: 'They do not count any more; the first call of this boot deletes them',
          cure: 'isthmus reload',
          repair: { kind: 'reload' },
        });
      if (rest.length > 0)
        found.push({
          level: 'warning',
          subject: `state ${state.dir}`,
          what: `it has ${total(rest)} of ${count(rest.length, 'other host')} of an earlier boot`,
          why: 'Nobody deletes them: namespaces of that boot are gone, or ISTHMUS_HOST_ID has changed',
          cure: 'set ISTHMUS_HOST_ID as it was, or leave them: they take disk space only',
        });
      if (found.length === 0 && state.behind && facts.records !== undefined && isUsed(facts))
        found.push({
          level: 'warning',
          subject: `state ${state.dir}`,
          what: 'it does not agree with this boot yet',
          why: 'No call has used it since the host started, or its newest changes were lost',
          cure: 'isthmus reload',
          repair: { kind: 'catch-up' },
        });
      return found;
    },
  },
  {
    name: 'wrong-mode',
    check: ({ paths, uid }) => paths.flatMap((one) => [...wrongKind(one), ...wrongOwner(one, uid), ...wrongMode(one)]),
  },
  {
    name: 'config-unreadable',
    check: ({ cni }) =>
      cni.files.flatMap(({ path, network, problem }) =>
        problem === undefined
          ? []
          : [
              {
                level: 'error',
                subject: `file ${path}`,
                what: problem,
                why: 'Runtimes refuse the file, or take another one instead: containers get no network, or a wrong one',
                cure: `mend the file`,
                ...(network === undefined ? {} : { networks: [network] }),
              },
            ],
      ),
  },
  {
    name: 'config-not-first',
    check: ({ cni }) => {
      const [first] = cni.files.filter(({ problem }) => problem === undefined);
      const own = cni.files.find((file) => file.own);
      if (first === undefined || own === undefined || first.own) return [];
      return [
        {
          level: 'warning',
          subject: `file ${own.path}`,
          what: `${first.path} comes before it by name`,
          why: 'containerd and CRI-O use the first file only: pods are on another network',
          cure: `give it a name that comes first, or move ${first.path} away`,
          ...(own.network === undefined ? {} : { networks: [own.network] }),
        },
      ];
    },
  },
  {
    name: 'loopback-missing',
    check: ({ cni }) =>
      cni.plugins.has(LOOPBACK) || !cni.files.some(({ own }) => own)
        ? []
        : [
            {
              level: 'warning',
              subject: `plugin ${LOOPBACK}`,
              what: `it is in none of ${cni.pluginDirs.join(', ')}`,
              why: 'containerd calls it for every pod, and refuses to start one without it',
              cure: `ln -s isthmus ${cni.pluginDirs[0] ?? '/opt/cni/bin'}/${LOOPBACK}`,
            },
          ],
  },
];

function sum(all: Facts['state']['boots'], key: 'endpoints' | 'leases'): number {
  return all.reduce((total, one) => total + one[key], 0);
}

/** A new state of a host without networks says nothing. */
function isUsed({ records }: Facts): boolean {
  return (records?.networks.length ?? 0) + (records?.endpoints.length ?? 0) > 0;
}

function wrongKind({ path, is, wanted }: PathFacts): Found[] {
  if (is === wanted) return [];
  return [
    {
      level: 'error',
      subject: `path ${path}`,
      what: `it is ${is === 'link' ? 'a symbolic link' : is === 'other' ? 'something else' : `a ${is}`}, not a ${wanted}`,
      why: 'Calls fail: somebody else could choose what is there',
      cure: 'move it away',
    },
  ];
}

function wrongOwner({ path, is, wanted, uid }: PathFacts, own: number): Found[] {
  if (uid === own || is !== wanted) return [];
  return [
    {
      level: 'error',
      subject: `path ${path}`,
      what: `it belongs to user ${uid}, not to ${own}`,
      why: 'Calls fail: that user could change its content',
      cure: `chown ${own} ${path}`,
    },
  ];
}

function wrongMode({ path, is, wanted, mode, most }: PathFacts): Found[] {
  if (is !== wanted || (mode & ~most) === 0) return [];
  return [
    {
      level: 'error',
      subject: `path ${path}`,
      what: `its mode is ${octal(mode)}, and ${octal(most)} is the most`,
      why: 'Other users of this host may read or change the networks of containers',
      cure: `chmod ${octal(most)} ${path}`,
      repair: { kind: 'mode', path, mode: most },
    },
  ];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
