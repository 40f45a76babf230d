import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Family } from '../../src/shared/model/addr.ts';

/** A host port as the kubelet asks for it. */
export interface PodPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

const TOOLS = { 4: 'iptables', 6: 'ip6tables' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** Chains of table nat, the built-in chains that jump to them, and the condition of the jump. */
const JUMPS = [
  ['KUBE-HOSTPORTS', ['OUTPUT', 'PREROUTING'], '-m addrtype --dst-type LOCAL'],
  ['CRIO-HOSTPORTS-MASQ', ['POSTROUTING'], '-m conntrack --ctstate DNAT'],
] as const;

/**
 * CRI-O's manager of host ports for one family, as releases have it that bind the ports: a socket for each port, but
 * not for SCTP, then rules that lead to the pod. Removal closes whatever socket has such a port, as theirs does.
 * Source: cri-o, internal/hostport/hostport_manager.go and hostport.go before pull request 8470 (August 2024).
 */
export class CrioHostPorts {
  readonly #family: Family;
  readonly #sockets = new Map<string, () => void>();

  constructor(family: Family) {
    this.#family = family;
  }

  async add(id: string, ports: readonly PodPort[], address: string): Promise<void> {
    this.#ensureChains();
    await this.#openAll(ports);
    const to = this.#family === 4 ? address : `[${address}]`;
    const lines = ports.flatMap((port) => {
      const { protocol, hostPort, containerPort } = port;
      const [hp, masq] = chainsOf(id, port);
      return [
        `:${hp} - [0:0]`,
        `:${masq} - [0:0]`,
        `-I KUBE-HOSTPORTS -p ${protocol} -m ${protocol} --dport ${hostPort} -j ${hp}`,
        `-I CRIO-HOSTPORTS-MASQ -j ${masq}`,
        `-A ${hp} -p ${protocol} -m ${protocol} -j DNAT --to-destination ${to}:${containerPort}`,
        `-A ${masq} -p ${protocol} -m conntrack --ctorigdstport ${hostPort} -m ${protocol} --dport ${containerPort} -s ${address} -d ${address} -j MASQUERADE`,
      ];
    });
    this.#restore(lines);
  }

  remove(id: string, ports: readonly PodPort[]): void {
    const rules = execFileSync(`${TOOLS[this.#family]}-save`, ['-t', 'nat'], { encoding: 'utf8' }).split('\n');
    const chains = ports
      .flatMap((port) => chainsOf(id, port))
      .filter((chain) => rules.some((l) => l.startsWith(`:${chain} `)));
    const leading = rules.filter((line) => chains.some((chain) => line.endsWith(` -j ${chain}`)));
    const lines = [
      ...leading.map((line) => line.replace(/^-A/, '-D')),
      ...chains.map((chain) => `-F ${chain}`),
      ...chains.map((chain) => `-X ${chain}`),
    ];
    if (lines.length > 0) this.#restore(lines);
    for (const port of ports) this.#close(keyOf(port));
  }

  #ensureChains(): void {
    const tool = `${TOOLS[this.#family]} -w -t nat`;
    const script = JUMPS.flatMap(([chain, froms, condition]) => [
      `${tool} -N ${chain} 2>/dev/null`,
      ...froms.map(
        (from) =>
          `${tool} -C ${from} ${condition} -j ${chain} 2>/dev/null || ${tool} -A ${from} ${condition} -j ${chain} || exit 1`,
      ),
    ]);
    execFileSync('sh', ['-c', script.join('\n')]);
  }

  /** All or none. */
  async #openAll(ports: readonly PodPort[]): Promise<void> {
    const opened: string[] = [];
    for (const port of ports.filter(({ protocol }) => protocol !== 'sctp')) {
      try {
        this.#sockets.set(keyOf(port), await listen(port, this.#family));
        opened.push(keyOf(port));
      } catch (error) {
        for (const key of opened) this.#close(key);
        throw new Error(`cannot open hostport ${port.hostPort}: ${String(error)}`);
      }
    }
  }

  #close(key: string): void {
    this.#sockets.get(key)?.();
    this.#sockets.delete(key);
  }

  #restore(lines: readonly string[]): void {
    const input = ['*nat', ...lines, 'COMMIT', ''].join('\n');
    execFileSync(`${TOOLS[this.#family]}-restore`, ['-w', '--noflush'], { input });
  }
}

/** As net.Listen and net.ListenUDP of Go do for one family. */
async function listen({ protocol, hostPort: port }: PodPort, family: Family): Promise<() => void> {
  if (protocol === 'udp') {
    const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
    socket.bind({ port, address: ANY[family], exclusive: true });
    await once(socket, 'listening');
    return () => socket.close();
  }
  const server = createServer();
  server.listen({ port, host: ANY[family], ipv6Only: family === 6, exclusive: true });
  await once(server, 'listening');
  return () => server.close();
}

const keyOf = ({ protocol, hostPort }: PodPort): string => `${protocol} ${hostPort}`;

function chainsOf(id: string, port: PodPort): [string, string] {
  const hash = createHash('sha256')
    .update(`${id} ${keyOf(port)}`)
    .digest('hex')
    .slice(0, 16)
    .toUpperCase();
  return [`KUBE-HP-${hash}`, `CRIO-MASQ-${hash}`];
}
