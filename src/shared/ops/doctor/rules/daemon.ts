import type { DockerNetworkRow } from '../../../store/store.ts';
import type { Facts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';

const RESTART = 'systemctl restart isthmus.service';

/** True if dockerd sends its calls to the daemon: without it, nothing answers them. */
function isNeeded({ records }: Facts): boolean {
  return (records?.dockerNetworks.length ?? 0) > 0;
}

export const DAEMON_RULES: readonly Rule[] = [
  {
    name: 'daemon-hung',
    check: ({ daemon }) =>
      daemon.control.state !== 'hung' && daemon.control.state !== 'broken'
        ? []
        : [
            {
              level: 'error',
              subject: `daemon ${daemon.runDir}`,
              what: daemon.control.why,
              why: 'Each call waits a second for it and is then served without it; calls of dockerd fail',
              cure: RESTART,
            },
          ],
  },
  {
    name: 'daemon-absent',
    check: (facts) => {
      const { control, hasSocket, runDir } = facts.daemon;
      if (control.state !== 'absent' || !(isNeeded(facts) || hasSocket)) return [];
      return [
        {
          level: isNeeded(facts) ? 'error' : 'warning',
          subject: `daemon ${runDir}`,
          what: hasSocket ? 'it has ended: its socket is there, and nothing listens on it' : 'it does not run',
          why: isNeeded(facts)
            ? 'dockerd waits 15 seconds for it and then refuses to start containers of our networks'
            : 'CNI calls are served without it, more slowly; host ports are not held, and nothing is restored by itself',
          cure: 'systemctl start isthmus.service (or: isthmus serve)',
        },
      ];
    },
  },
  {
    name: 'daemon-other-version',
    check: ({ version, daemon, cni }) => {
      const running = daemon.control.state === 'answers' ? daemon.control.status.version : undefined;
      const found: Found[] = [];
      if (running !== undefined && running !== version)
        found.push({
          level: 'warning',
          subject: `daemon ${daemon.runDir}`,
          what: `it is version ${running}, and this program is ${version}`,
          why: 'If their protocols differ, calls are served without the daemon, more slowly',
          cure: RESTART,
        });
      if (daemon.control.state === 'old')
        found.push({
          level: 'warning',
          subject: `daemon ${daemon.runDir}`,
          what: daemon.control.why,
          why: 'It is an older version than this program: nothing tells how it is',
          cure: RESTART,
        });
      const { installed } = cni;
      if (installed !== undefined && installed.version !== (running ?? version))
        found.push({
          level: 'warning',
          subject: `plugin ${installed.path}`,
          what: `it is version ${installed.version}, and the ${running === undefined ? 'verbs are' : 'daemon is'} ${running ?? version}`,
          why: 'Calls of runtimes and the daemon do not do the same',
          cure: 'install both from one version, then: systemctl restart isthmus.service',
        });
      return found;
    },
  },
  {
    name: 'two-daemons',
    check: ({ daemon }) =>
      daemon.listening.length < 2
        ? []
        : [
            {
              level: 'warning',
              subject: `daemon ${daemon.runDir}`,
              what: `${daemon.listening.length} daemons serve this host: ${daemon.listening.join(', ')}`,
              why: 'Each restores its own idea of the packet filter; with two states they delete the rules of each other',
              cure: 'stop all but one',
            },
          ],
  },
  {
    name: 'docker-network-unknown',
    check: ({ docker, records }) => {
      if (docker === undefined) return [];
      const known = new Set(docker.map(({ id }) => id));
      return (records?.dockerNetworks ?? [])
        .filter(({ id }) => !known.has(id))
        .map(({ id, network }: DockerNetworkRow) => ({
          level: 'warning',
          subject: `Docker network ${id.slice(0, 12)}`,
          what: 'dockerd does not know it',
          why: 'dockerd has another data directory, or was down when it was removed: its bridge and subnet stay in use',
          cure: `if dockerd has its usual data directory: isthmus reload with the daemon running, or isthmus network rm ${network}`,
          networks: [network],
        }));
    },
  },
];
