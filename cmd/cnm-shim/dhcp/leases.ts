import type { Core, DhcpLeases, DhcpRequest, IpamResult } from '../../../src/shared/core/core.ts';
import { resumeClient, startClient } from '../../../src/shared/dhcp/client.ts';
import { clock, heldOf, identityOf } from '../../../src/shared/dhcp/kept.ts';
import { encodeMessage } from '../../../src/shared/dhcp/message.ts';
import type { Client, Held } from '../../../src/shared/dhcp/states.ts';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import type { Namespace } from '../../../src/shared/host/host.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import { formatAddr } from '../../../src/shared/model/addr.ts';
import { type Attachment, attachmentDigest, sameAttachment } from '../../../src/shared/model/attachment.ts';
import { given } from '../../../src/shared/model/given.ts';
import {
  type DhcpLeaseRow,
  deleteDhcpLease,
  dhcpLease,
  listDhcpLeases,
  putDhcpLease,
} from '../../../src/shared/store/dhcp-leases.ts';
import { Attempt } from './attempt.ts';
import { openInterface, setUp } from './interface.ts';
import { addAddress, removeAddress } from './readdress.ts';
import { sendRelease } from './release.ts';
import { type News, Session } from './session.ts';

export interface ClientParts {
  readonly host: LinuxHost;
  readonly log: Logger;
  /** A core for one look or change; the caller disposes of it. */
  readonly core: () => Core & Disposable;
}

/** What a row says before there is a lease. */
type Unleased = Omit<DhcpLeaseRow, 'ack' | 'since'>;

type Work = (core: Core, attachment: Attachment, ns: Namespace) => Promise<void> | void;

/** Seconds that an ADD waits for a lease. */
const LEASE_SECONDS = 10;

/** The DHCP clients of this host's attachments, by attachment. Their leases are in the store. */
export class DhcpClients implements DhcpLeases, Disposable {
  readonly #parts: ClientParts;
  readonly #sessions = new Map<string, Session>();
  readonly #seconds: number;

  /** `seconds`: how long an ADD waits. */
  constructor(parts: ClientParts, seconds = LEASE_SECONDS) {
    this.#parts = parts;
    this.#seconds = seconds;
  }

  async acquire(request: DhcpRequest, sandbox: Namespace): Promise<IpamResult> {
    const { host } = this.#parts;
    const { attachment, netns } = request;
    const attempt = new Attempt(attachment);
    this.#end(attachment);
    const state = host.observe(sandbox, { links: [attachment.ifName] }).links.get(attachment.ifName);
    if (state === undefined) throw attempt.gone();
    await setUp(host, sandbox, state);
    const { provide, priority } = request.options;
    const row: Unleased = {
      ...{ attachment, bootId: host.identity.bootId, sandbox: { path: netns, id: sandbox.id }, mac: state.mac },
      // Its siblings have the same MAC: a reply to that MAC reaches none of them before it has the address.
      broadcast: state.kind === 'ipvlan',
      request: request.options.request,
      provide: provide.map(({ code, value }) => [code, value] as const),
      ...given({ priority, isAlone: request.isAlone }),
    };
    const { lease } = await this.#lease(row, attempt, request.gone);
    const { address, gateway, routes, dns, mtu } = lease;
    return { addresses: [{ address, ...given({ gateway }) }], routes, dns, ...given({ mtu }) };
  }

  async release(attachment: Attachment): Promise<void> {
    using core = this.#parts.core();
    const row = dhcpLease(core.store.notes, attachment);
    this.#end(attachment);
    if (row === undefined) return;
    try {
      await sendRelease(this.#parts.host, row);
    } catch (thrown) {
      const { message } = asNetError(thrown, 'release');
      this.#parts.log.warn('dhcp.unreleased', { ...named(attachment), error: message });
    }
    core.store.transaction(() => deleteDhcpLease(core.store.notes, attachment));
  }

  async collect(alive?: Parameters<DhcpLeases['collect']>[0]): Promise<void> {
    using core = this.#parts.core();
    const isKept = ({ attachment, isAlone }: DhcpLeaseRow): boolean =>
      !isAlone || attachment.network !== alive?.network || alive.keep.some((one) => sameAttachment(one, attachment));
    const rows = listDhcpLeases(core.store.notes).filter((row) => !isKept(row) || !this.#isAttached(core, row));
    await Promise.all(rows.map(({ attachment }) => this.release(attachment)));
  }

  /** Takes up the leases of a former daemon, and releases those whose attachment has gone meanwhile. */
  async resume(): Promise<void> {
    using core = this.#parts.core();
    const rows = listDhcpLeases(core.store.notes).filter((row) => this.#isAttached(core, row));
    for (const row of rows) {
      try {
        const held = heldOf(row);
        this.#run(row, (at) => resumeClient(held, at));
      } catch (thrown) {
        this.#drop(row, asNetError(thrown, 'dhcp').message);
      }
    }
    if (rows.length > 0) this.#parts.log.info('dhcp.resumed', { leases: this.#sessions.size });
    await this.collect();
  }

  /** Sends nothing more; the leases stay on record. */
  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    this.#sessions.clear();
  }

  #isAttached({ store }: Core, row: DhcpLeaseRow): boolean {
    if (!row.isAlone) return store.endpoints.get(row.attachment, 'interface') !== undefined;
    using at = openInterface(this.#parts.host, row);
    return at !== undefined;
  }

  async #lease(row: Unleased, attempt: Attempt, gone: AbortSignal | undefined): Promise<Held> {
    const { promise, resolve, reject } = Promise.withResolvers<Held>();
    let isLeased = false;
    const session = this.#run(
      row,
      startClient,
      (news) => {
        if (isLeased) return this.#heard(row, news);
        attempt.heard(news);
        if (news.do === 'gone') reject(attempt.gone());
        if (news.do !== 'bound') return;
        isLeased = true;
        resolve(news.held);
      },
      (error) => attempt.met(error.message),
    );
    const timer = setTimeout(
      () => reject(attempt.failed(session.client, row.mac, this.#seconds)),
      this.#seconds * 1000,
    );
    const leave = (): void => reject(attempt.left());
    gone?.addEventListener('abort', leave);
    if (gone?.aborted) leave();
    try {
      const held = await promise;
      this.#record(row, held);
      this.#parts.log.info('dhcp.leased', { ...named(row.attachment), ...told(held) });
      return held;
    } catch (thrown) {
      this.#end(row.attachment);
      throw thrown;
    } finally {
      clearTimeout(timer);
      gone?.removeEventListener('abort', leave);
    }
  }

  #run(
    row: Unleased,
    client: (at: ReturnType<Session['surroundings']>) => Client,
    news = (one: News): void => this.#heard(row, one),
    unsent = (error: Error): void => this.#parts.log.debug('dhcp.unsent', { error: error.message }),
  ): Session {
    const identity = identityOf(row);
    const open = () => openInterface(this.#parts.host, row);
    const session = new Session(
      { identity, open, news, unsent },
      client({ identity, now: clock(), random: Math.random }),
    );
    this.#sessions.set(attachmentDigest(row.attachment), session);
    session.run();
    return session;
  }

  /** What happens to a lease after its ADD. Never throws. */
  #heard(row: Unleased, news: News): void {
    const { log } = this.#parts;
    const fields = named(row.attachment);
    switch (news.do) {
      case 'gone':
        this.#drop(row, 'the interface or its namespace is gone');
        break;
      case 'declined':
        log.warn('dhcp.declined', { ...fields, address: formatAddr(news.address), owner: news.mac });
        break;
      case 'ignored':
        log.warn('dhcp.ignored', { ...fields, why: news.why });
        break;
      case 'renewed':
        log.debug('dhcp.renewed', { ...fields, ...told(news.held) });
        this.#logged(row, () => this.#record(row, news.held));
        break;
      case 'lost':
        log.warn('dhcp.lost', { ...fields, ...told(news.held), why: news.why });
        this.#logged(row, () => this.#onInterface(row, (...at) => removeAddress(...at, news.held.lease)));
        break;
      case 'bound':
        log.warn('dhcp.again', { ...fields, ...told(news.held) });
        this.#logged(row, () => this.#record(row, news.held));
        this.#logged(row, () => this.#onInterface(row, (...at) => addAddress(...at, news.held.lease)));
        break;
    }
  }

  #logged({ attachment }: Unleased, work: () => Promise<void> | void): void {
    const fail = (thrown: unknown): void => {
      const error = asNetError(thrown, 'dhcp').message;
      this.#parts.log.warn('dhcp.failed', { ...named(attachment), error });
    };
    void Promise.try(work).catch(fail);
  }

  async #onInterface(row: Unleased, work: Work): Promise<void> {
    using core = this.#parts.core();
    using at = openInterface(this.#parts.host, row);
    if (at !== undefined) await work(core, row.attachment, at.ns);
  }

  #record(row: Unleased, { ack, since }: Held): void {
    using core = this.#parts.core();
    const hex = Buffer.from(encodeMessage(ack)).toString('hex');
    core.store.transaction(() => putDhcpLease(core.store.notes, { ...row, ack: hex, since }));
  }

  #drop({ attachment }: Unleased, why: string): void {
    this.#end(attachment);
    this.#parts.log.info('dhcp.dropped', { ...named(attachment), why });
    using core = this.#parts.core();
    core.store.transaction(() => deleteDhcpLease(core.store.notes, attachment));
  }

  #end(attachment: Attachment): void {
    const key = attachmentDigest(attachment);
    this.#sessions.get(key)?.[Symbol.dispose]();
    this.#sessions.delete(key);
  }
}

function named({ network, containerId, ifName }: Attachment): Readonly<Record<string, string>> {
  return { network, container: containerId, ifname: ifName };
}

function told({ lease }: Held): Readonly<Record<string, string | number>> {
  return { address: formatAddr(lease.address.addr), server: formatAddr(lease.server), seconds: lease.seconds };
}
