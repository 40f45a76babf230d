import { parsePluginList } from '../../../../src/shared/config/plugin-list.ts';
import type { CniResult } from '../../../../src/shared/config/result.ts';
import { parseTuning } from '../../../../src/shared/config/tuning.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { MAIN } from '../../../../src/shared/drivers/tables.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import type { View } from '../../../../src/shared/host/host.ts';
import { BITS } from '../../../../src/shared/model/addr.ts';
import type { ListedEndpoint, ListFacts, SandboxFacts } from '../../../../src/shared/model/chain.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { contains, formatPrefix, parsePrefix } from '../../../../src/shared/model/prefix.ts';
import type { CreateEndpointRequest } from '../wire/messages.ts';
import { divide, wordsOf } from './carried.ts';
import { HELD_NAME, viewAt } from './holding.ts';
import { LIST, offLink } from './list-network.ts';

export interface MadeInput {
  readonly row: ListedEndpoint;
  readonly result: CniResult;
  /** The namespace before ADD: a kernel may put links of its own into each. */
  readonly before: View | undefined;
  readonly list: ListFacts;
  readonly request: CreateEndpointRequest;
}

export interface Made {
  readonly made: Pick<ListedEndpoint, 'link' | 'carried' | 'inside'>;
  /** What the container goes without, in words. */
  readonly lost: readonly string[];
}

/**
 * Reads from the kernel what the plugins made. Throws NetError `delegate` if that is not one interface with the name that
 * they were told, or has other addresses than dockerd has chosen.
 */
export function readMade(core: Core, { row, result, before, list, request }: MadeInput): Made {
  const view = viewAt(core, row.netns);
  const link = view?.links.get(HELD_NAME);
  const fresh = [...(view?.links.values() ?? [])].filter(
    ({ name, kind, loopback }) => !loopback && kind !== 'vrf' && before?.links.has(name) !== true,
  );
  if (view === undefined || link === undefined) {
    const told = result.interfaces.flatMap(({ name, sandbox }) => (sandbox ? [name] : []));
    const others =
      fresh.length > 0 ? `: there is ${namesOf(fresh)}` : told.length > 0 ? `: it tells of ${told.join(', ')}` : '';
    throw useless(
      `makes no interface ${HELD_NAME} in the container${others}`,
      'Docker can only use one that the kernel has',
    );
  }
  if (fresh.length > 1) {
    throw useless(`makes ${fresh.length} interfaces in the container: ${namesOf(fresh)}`, 'Docker can only use one');
  }
  const completes = list.completes === true;
  const { carried, inside, lost } = divide(view, HELD_NAME, { sysctls: sysctlsOf(list), completes });
  assertChosen(row, request, carried.addresses);
  const addresses = view.addresses.flatMap((one) =>
    one.dev === HELD_NAME && one.scope !== 'link' ? [one.address] : [],
  );
  const hostDevice = hostDeviceOf(core, result, carried.addresses);
  return {
    made: {
      link: {
        mac: link.mac,
        addresses,
        ...given({ kind: link.kind, alias: link.alias, permMac: link.permMac, hostDevice }),
      },
      carried,
      ...(completes ? { inside } : {}),
    },
    lost: [
      ...lost,
      ...(completes ? [] : wordsOf(inside)),
      ...((result.dns.nameservers?.length ?? 0) > 0 ? ['name servers'] : []),
    ],
  };
}

/** Throws NetError if dockerd would give the interface other addresses than the plugins have, or put them on the link. */
function assertChosen({ plugins }: ListedEndpoint, request: CreateEndpointRequest, made: readonly string[]): void {
  for (const asked of [request.address, request.addressIPv6]) {
    if (asked === undefined) continue;
    const text = formatPrefix(asked);
    const own = made.flatMap((one) => parsePrefix(one) ?? []).find(({ addr }) => addr.family === asked.addr.family);
    if (own === undefined || formatPrefix(own) === text) continue;
    const isHost = own.addr.value === asked.addr.value && own.length === BITS[own.addr.family];
    if (isHost) throw offLink(plugins[0]?.type ?? '', text);
    const what = `gives the interface ${formatPrefix(own)}, but Docker's IPAM has chosen ${text}`;
    throw useless(what, "Let the list's own IPAM choose addresses: --ipam-driver null");
  }
}

/** The device of the host that the plugins tell of, and by which the host reaches the address. */
function hostDeviceOf({ host }: Core, { interfaces }: CniResult, addresses: readonly string[]): string | undefined {
  const names = interfaces.flatMap(({ name, sandbox }) => (sandbox ? [] : [name]));
  const addr = parsePrefix(addresses[0] ?? '')?.addr;
  if (names.length === 0 || addr === undefined) return undefined;
  const { routes } = host.observe(host.own, { routes: true });
  const ways = routes.flatMap(({ dst, dev, table = MAIN }) => {
    const prefix = table === MAIN ? parsePrefix(dst) : undefined;
    return prefix !== undefined && contains(prefix, addr) ? [{ dev, length: prefix.length }] : [];
  });
  const [best] = ways.toSorted((a, b) => b.length - a.length);
  return best?.dev !== undefined && names.includes(best.dev) ? best.dev : undefined;
}

/** What `tuning` sets. Most of it is lost when the interface changes its namespace. */
function sysctlsOf({ text }: ListFacts): SandboxFacts['sysctls'] {
  return parsePluginList(text, LIST).plugins.flatMap(({ type, config }) =>
    type === 'tuning' ? [...parseTuning({ config, ifName: HELD_NAME }).sysctls] : [],
  );
}

function namesOf(links: readonly { readonly name: string }[]): string {
  return links.map(({ name }) => name).join(', ');
}

function useless(what: string, hint: string): NetError {
  return fault.delegate('ADD', LIST, what, hint);
}
