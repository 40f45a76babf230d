import type { Manager } from './matrix-managers.ts';
import type { TestHost } from './test-host.ts';

const COMMANDS = ['shorewall', 'shorewall6'] as const;

/** As docs/firewall.md says: without a zone for our bridges, the host itself would not reach pods. */
const files = (type: 'ipv4' | 'ipv6'): Readonly<Record<string, string>> => ({
  zones: `fw firewall
net ${type}
loc ${type}
pods ${type}
`,
  interfaces: `?FORMAT 2
net up0
loc plain1
pods isth+ routeback
`,
  policy: `$FW all ACCEPT
loc net ACCEPT
loc $FW ACCEPT
net pods NONE
loc pods NONE
pods net NONE
pods loc NONE
all all REJECT
`,
  rules: `?SECTION NEW
ACCEPT net loc tcp 80
`,
});

/** A second start without a change of the configuration compiles nothing. */
const SETTINGS = ['STARTUP_ENABLED=Yes', 'AUTOMAKE=Yes', 'IP_FORWARDING=Keep'];

const both = (host: TestHost, command: string): void => {
  for (const name of COMMANDS) host.run(name, command);
};

/** Replaces all of iptables' tables, and rejects in INPUT, FORWARD and OUTPUT what its zones do not name. */
export const shorewall: Manager = {
  title: 'shorewall',
  file: '/usr/sbin/shorewall',
  async start(host) {
    for (const name of COMMANDS) {
      const directory = `/etc/${name}`;
      for (const [file, text] of Object.entries(files(name === 'shorewall' ? 'ipv4' : 'ipv6')))
        host.write(`${directory}/${file}`, text);
      const edits = SETTINGS.map((one) => `s/^${one.replace(/=.*/, '')}=.*/${one}/`).join(';');
      host.run('sed', '-i', edits, `${directory}/${name}.conf`);
    }
    both(host, 'start');
  },
  changes: { 'shorewall reload': (host) => both(host, 'reload') },
  stop: async (host) => both(host, 'clear'),
};
