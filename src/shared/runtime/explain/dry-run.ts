import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Core, DelegateSource, IpamResult } from '../../core/core.ts';
import type { Assigned } from '../../drivers/driver.ts';
import { fault } from '../../errors/fault.ts';
import type { Host, Namespace } from '../../host/host.ts';
import { linkOf } from '../../host/inverse.ts';
import type { Logger } from '../../log/log.ts';
import type { FirewallBackend } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { NsRef } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import { MemoryStore } from '../../testing/memory-store.ts';
import { DryFirewaller } from './dry-firewall.ts';
import { DryHost } from './dry-host.ts';

/** One op of a plan. */
export interface PlannedStep {
  readonly op: Op;
  /** What restores the state before; empty where nothing does, or where it goes with `link`. */
  readonly undo: readonly Op[];
  /** A link of the plan: when it is deleted, the effect of this step is gone too. */
  readonly link?: string;
  /** The part of the plan that it belongs to: `bridge`, `portmap`. */
  readonly part: string;
}

/** What a dry run assumes. */
export interface Assumed {
  /** Path of the container's namespace, which is new. */
  readonly netns: string;
  /** What is there now at `netns`, where the attachment may have been made. */
  readonly inside?: Namespace;
  readonly configured?: (name: string) => NetworkSpec | undefined;
  /** The answer of IPAM plugins of other programs; empty: there is none. */
  readonly answer: readonly Assigned[];
}

/** A core on which calls change nothing; `steps` has what they would have changed. */
export interface DryRun {
  readonly core: Core;
  readonly steps: readonly PlannedStep[];
  /** The steps from here on belong to this part. */
  begin(part: string): void;
}

const QUIET: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** Starts a dry run on the host as it is now, without what is Isthmus's, and with no records. */
export function dryRun(real: Host, { netns, inside, configured, answer }: Assumed): DryRun {
  const steps: PlannedStep[] = [];
  const made = new Set<string>();
  let part = '';
  const record = (op: Op, undo: readonly Op[]): void => {
    if (op.op === 'link.create') {
      made.add(place(op.ns, op.name));
      if (op.link.kind === 'veth') made.add(place(op.link.peer.ns, op.link.peer.name));
    }
    const link = linkOf(op);
    const goes = link !== undefined && made.has(place(op.ns, link));
    steps.push({ op, part, undo: goes ? [] : undo, ...(goes ? { link } : {}) });
    if (op.op === 'link.move' && made.has(place(op.ns, op.name))) made.add(place(op.to, op.toName));
  };
  const host = new DryHost(real, netns, record, inside);
  const firewallers = new Map<FirewallBackend, DryFirewaller>();
  const core: Core = {
    host,
    store: new MemoryStore(host.identity),
    changes: { read: () => 0, write: () => {} },
    log: QUIET,
    firewall: (backend) => {
      const found = firewallers.get(backend) ?? new DryFirewaller(backend, record);
      firewallers.set(backend, found);
      return found;
    },
    lock: async () => ({ [Symbol.dispose]: () => {} }),
    delegate: (type) => {
      throw fault.internal('explain', `ipam ${type}`, 'a dry run records no plugin');
    },
    plugin: async (name) => {
      const what = 'only the Docker plugin knows what it would do';
      throw fault.unsupported('explain', `plugin ${name}`, what, 'Ask its documentation');
    },
    foreignIpam: (type) => assumedSource(type, answer),
    ...given({ configured }),
  };
  return {
    core,
    steps,
    begin: (next) => {
      part = next;
    },
  };
}

/** Throws NetError `unsupported-field` without an answer: only the plugin knows it. */
function assumedSource(type: string, addresses: readonly Assigned[]): DelegateSource {
  if (addresses.length > 0) {
    const nothing = async (): Promise<void> => {};
    const [release, check, status, collect] = [nothing, nothing, nothing, nothing];
    const acquire = async (): Promise<IpamResult> => ({ addresses, routes: [], dns: {} });
    return { kind: 'delegate', type, config: '{}', acquire, release, check, status, collect };
  }
  const what = 'only this program knows the addresses, and explain does not ask it';
  const hint = 'Give its answer: --address 192.0.2.7/24 --gateway 192.0.2.1';
  throw fault.unsupportedField('explain', `.ipam.type=${JSON.stringify(type)}`, what, hint);
}

function place(ns: NsRef, name: string): string {
  return `${ns} ${name}`;
}
