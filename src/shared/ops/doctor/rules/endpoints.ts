import { renderOp } from '../../../host/render.ts';
import { parseAlias } from '../../../model/alias.ts';
import { attachmentDigest, networkTitle } from '../../../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../../../model/endpoint.ts';
import type { Facts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';
import { titleOf } from './network.ts';

function about({ attachment }: Endpoint): Pick<Found, 'subject' | 'networks' | 'containers'> {
  const { network, containerId } = attachment;
  return { subject: titleOf(attachment), networks: [network], containers: [containerId] };
}

const RECREATE = 'delete the container, or the pod, and create it again';

/** The parent on this host that the interface of the part is on; undefined for other interfaces. */
function parentOf(part: Endpoint): string | undefined {
  const facts = part.kind === 'lone' ? part.link : part.kind === 'docker' ? part.lone : undefined;
  const link = facts?.link;
  return link !== undefined && 'devNs' in link && link.devNs === 'host' ? link.dev : undefined;
}

/** The parts with a host side that the host does not have. */
function withoutHostSide({ records, view }: Facts): readonly Endpoint[] {
  return (records?.endpoints ?? []).filter((part) => {
    const hostIf = hostIfOf(part);
    return part.progress === 'ready' && hostIf !== undefined && !view.links.has(hostIf);
  });
}

export const ENDPOINT_RULES: readonly Rule[] = [
  {
    name: 'port-off-bridge',
    check: (facts) =>
      facts.lacks
        .filter(({ ops }) => ops.some((op) => op.op !== 'tbf.add' && op.op !== 'redirect.add'))
        .map(({ part, ops }) => ({
          ...about(part),
          level: 'error',
          what: `its host side lacks ${ops.length === 1 ? 'a setting' : `${ops.length} settings`}`,
          why: 'The container is cut off from its network; systemd-networkd or NetworkManager may manage the interface (docs/operations.md)',
          cure: ops.map((op) => renderOp(op, { sandbox: '' })).join('; '),
          repair: { kind: 'reload' },
        })),
  },
  {
    name: 'limit-missing',
    check: (facts) =>
      facts.lacks
        .filter(({ ops }) => ops.some((op) => op.op === 'tbf.add' || op.op === 'redirect.add'))
        .map(({ part }) => ({
          ...about(part),
          level: 'error',
          what: 'its bandwidth limit is gone',
          why: 'The container sends or receives as fast as it can',
          cure: 'isthmus reload',
          repair: { kind: 'reload' },
        })),
  },
  {
    name: 'endpoint-without-interface',
    check: (facts) =>
      withoutHostSide(facts).map((part) => ({
        ...about(part),
        level: 'error',
        what: `its interface on the host, ${hostIfOf(part)}, is gone`,
        why: 'The container has no network, and keeps its address and ports from others',
        cure: part.attachment.camp === 'cnm' ? `docker restart the container, or ${RECREATE}` : RECREATE,
      })),
  },
  {
    name: 'endpoint-without-namespace',
    check: (facts) =>
      facts.sandboxes
        .filter(({ namespace }) => namespace === 'gone')
        .map(({ part }) => ({
          ...about(part),
          level: 'warning',
          what: `its namespace ${part.sandbox.path} is gone, and no DEL has come`,
          why: 'It keeps its address and ports from others until the runtime calls DEL or GC',
          cure: `remove the container in its runtime (crictl rmp, podman rm, ctr task rm); if that has forgotten it: isthmus endpoint rm ${part.attachment.containerId}`,
        })),
  },
  {
    name: 'interface-missing-inside',
    check: (facts) =>
      facts.sandboxes
        .filter((one) => one.interface === 'missing')
        .map(({ part }) => ({
          ...about(part),
          level: 'error',
          what: `its interface ${part.attachment.ifName} is gone from the container`,
          why: `The container has no network, although the runtime shows its address. ${deletedBy(part)}`,
          cure: RECREATE,
        })),
  },
  {
    name: 'parent-missing',
    check: ({ records, view }) => {
      const lost = (records?.endpoints ?? []).flatMap((part) => {
        const parent = part.progress === 'ready' ? parentOf(part) : undefined;
        return parent === undefined || view.links.has(parent) ? [] : [{ part, parent }];
      });
      const byParent = Map.groupBy(lost, ({ part, parent }) => `${parent} ${part.attachment.network}`);
      return [...byParent.values()].flatMap((all): Found[] => {
        const [first] = all;
        if (first === undefined) return [];
        const { part, parent } = first;
        const { network } = part.attachment;
        return [
          {
            ...{ level: 'error', subject: networkTitle(network), networks: [network] },
            containers: all.map(({ part: { attachment } }) => attachment.containerId),
            what: `its parent ${parent} is gone from this host, or has another name now`,
            why: 'The kernel deletes an interface with its parent; and no container can be added',
            cure: `make ${parent} again, or rename it back; then ${RECREATE}`,
          },
        ];
      });
    },
  },
  {
    name: 'interface-down-inside',
    check: (facts) =>
      facts.sandboxes
        .filter((one) => one.interface === 'down')
        .map(({ part }) => ({
          ...about(part),
          level: 'error',
          what: `its interface ${part.attachment.ifName} is down in the container`,
          why: 'The container sends and receives nothing',
          cure: inside(part, `ip link set dev ${part.attachment.ifName} up`),
        })),
  },
  {
    name: 'address-missing-inside',
    check: (facts) =>
      facts.sandboxes
        .filter(({ lacking }) => lacking.length > 0)
        .map(({ part, lacking }) => ({
          ...about(part),
          level: 'error',
          what: `the container lacks its address ${lacking.join(', ')}`,
          why: 'Others do not reach it, and it may reach nothing',
          cure: `${lacking.map((address) => inside(part, `ip addr add ${address} dev ${part.attachment.ifName}`)).join('; ')}; its routes may be gone too: else ${RECREATE}`,
        })),
  },
  {
    name: 'interface-without-endpoint',
    check: ({ records, view, state }) => {
      // A state that lags behind finds them again by itself.
      if (records === undefined || state.behind) return [];
      const known = new Set(records.endpoints.map(({ attachment }) => attachmentDigest(attachment)));
      const names = new Set(records.endpoints.map(hostIfOf));
      const broken = new Set(records.brokenEndpoints.map(({ attachment }) => attachmentDigest(attachment)));
      return [...view.links.values()].flatMap(({ name, alias }) => {
        const attachment = parseAlias(alias)?.attachment;
        if (attachment === undefined || names.has(name)) return [];
        const digest = attachmentDigest(attachment);
        if (known.has(digest) || broken.has(digest)) return [];
        const found: Found = {
          level: 'warning',
          subject: `link ${name}`,
          what: `it belongs to ${titleOf(attachment)} of ${networkTitle(attachment.network)}, which is not on record`,
          why: 'Its address may be given to another container',
          cure: `if the container is gone: ip link delete dev ${name}`,
          networks: [attachment.network],
          containers: [attachment.containerId],
        };
        return [found];
      });
    },
  },
  {
    name: 'call-unfinished',
    check: (facts) =>
      (facts.records?.unfinished ?? []).map((part) => ({
        ...about(part),
        level: 'error',
        what: `a call for it (${part.role}) ended before it was done`,
        why: 'It keeps an address or a port from others, and may be half there',
        cure: 'isthmus reload',
        repair: { kind: 'reload' },
      })),
  },
  {
    name: 'plugin-left',
    check: ({ records }) =>
      (records?.left ?? []).map(({ plugins, network, what }) => ({
        ...{ level: 'warning', subject: networkTitle(network), networks: [network] },
        what: `Docker plugin ${plugins.join(' and ')} still has ${what}, which nothing here uses`,
        why: 'The plugin was not there, or refused, when that was deleted; it keeps addresses from others',
        cure: `start the plugin, then: isthmus reload; if it is gone for good: isthmus network rm --force ${network}`,
      })),
  },
  {
    name: 'record-broken',
    check: ({ records }) => [
      ...(records?.brokenNetworks ?? []).map((name) => ({
        level: 'error' as const,
        subject: networkTitle(name),
        what: 'its record cannot be read',
        why: 'No container can join it until its record is written again',
        cure: `remove its containers, then: isthmus network rm ${name}`,
        networks: [name],
      })),
      ...(records?.brokenEndpoints ?? []).map(({ attachment }) => ({
        level: 'warning' as const,
        subject: titleOf(attachment),
        what: 'its record cannot be read',
        why: 'Verbs do not show it, and what it lacks is not restored',
        cure: RECREATE,
        networks: [attachment.network],
        containers: [attachment.containerId],
      })),
    ],
  },
];

/** Why an interface may vanish. */
function deletedBy(part: Endpoint): string {
  const parent = parentOf(part);
  if (parent === undefined) return 'Somebody deleted it';
  return `Somebody deleted it, or its parent ${parent}, which takes it along`;
}

function inside({ sandbox }: Endpoint, command: string): string {
  return `nsenter --net=${sandbox.path} ${command}`;
}
