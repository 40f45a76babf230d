import type { ShapingFacts } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { Op, Plan } from '../../model/op.ts';
import { largestBurst, type RateLimit } from '../../model/shaping.ts';

export interface ShapingOptions {
  /** True if the plan that this one is joined to deletes `hostIf`: its qdiscs then need no step. */
  readonly hostIfGoes: boolean;
}

/** Milliseconds that a packet may wait, as in the reference. */
const LATENCY = 25;

/** Ethernet header with a VLAN tag. */
const HEADER = 18;

/**
 * Limits the pod's ingress and egress. The host sends the pod's ingress out by `hostIf`, through a token bucket. The
 * pod's egress arrives at `hostIf`, where nothing can queue, so it is redirected to an ifb with a token bucket. Plans
 * nothing without limits.
 */
export function planShaping(facts: ShapingFacts, { hostIfGoes }: ShapingOptions): Plan {
  const { hostIf, ifb: ifbName, mtu, alias, ...rates } = facts;
  const ops: Op[] = [];
  const undo: Op[] = [];
  if (rates.ingress !== undefined) {
    const bucket = { ns: 'host', dev: hostIf, ...bucketOf(rates.ingress, mtu) } as const;
    ops.push({ op: 'tbf.add', ...bucket });
    if (!hostIfGoes) undo.unshift({ op: 'tbf.delete', ...bucket });
  }
  if (rates.egress !== undefined) {
    const link = { kind: 'ifb' } as const;
    const redirect = { ns: 'host', dev: hostIf, to: ifbName } as const;
    // A qdisc on a device that is up waits for RCU, milliseconds (qdisc_graft in net/sched/sch_api.c).
    ops.push(
      { op: 'link.create', ns: 'host', name: ifbName, link, mtu, ...given({ alias }) },
      { op: 'tbf.add', ns: 'host', dev: ifbName, ...bucketOf(rates.egress, mtu) },
      { op: 'link.set', ns: 'host', name: ifbName, set: { up: true } },
      { op: 'redirect.add', ...redirect },
    );
    // Packets redirected to a deleted device are lost, so the redirection is deleted first.
    undo.unshift({ op: 'link.delete', ns: 'host', name: ifbName, kind: 'ifb' });
    if (!hostIfGoes) undo.unshift({ op: 'redirect.delete', ...redirect });
  }
  return { ops, undo };
}

/**
 * A bucket holds at least one packet of the device's MTU, because tbf_enqueue drops larger packets. It holds at most what
 * fits its 32 bits of ticks: containerd asks for a burst of 4 GiB at every rate.
 */
function bucketOf(limit: RateLimit, mtu: number) {
  const rate = Math.max(1, Math.floor(limit.rate / 8));
  const burst = Math.min(Math.floor(limit.burst / 8), largestBurst(rate));
  return { rate, burst: Math.max(mtu + HEADER, burst), latency: LATENCY };
}
