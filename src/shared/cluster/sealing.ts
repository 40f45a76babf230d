import { fault } from '../errors/fault.ts';
import { given } from '../model/given.ts';
import type { Secret } from '../model/secret.ts';
import type { Condition } from '../store/cluster/cluster-store.ts';
import { Following } from './follow.ts';
import type { Incarnation } from './incarnation.ts';
import { announce } from './join.ts';
import { SECRETS_KEY } from './keys.ts';
import { listIn } from './listed.ts';
import { underlayOf } from './peers.ts';
import { firstSecrets, formatSecrets, type KeyEnd, keyOf, parseSecrets, rotated, type Secrets } from './secrets.ts';
import type { Site } from './site.ts';
import type { HostRecord } from './values.ts';

export interface SealingParts {
  readonly site: Site;
  readonly incarnation: Incarnation;
  readonly notify: () => void;
}

/** How long a generation is sent with. */
export const GENERATION_MS = 12 * 60 * 60_000;
/** No host ends a generation sooner after it has learned of it, whatever the clocks say. */
const LEAST_MS = 10 * 60_000;

/** Another host that takes part in encrypted networks, with the keys of both directions. */
export interface SealedHost {
  /** Its underlay address. */
  readonly host: string;
  readonly send: { readonly spi: number; readonly key: Secret };
  readonly receive: readonly { readonly spi: number; readonly key: Secret }[];
}

/** The keys of encrypted networks: made by the first host that needs them, and rotated by whichever is the first to. */
export class Sealing implements Disposable {
  readonly #parts: SealingParts;
  #following: Following | undefined;
  readonly #keys = new WeakMap<Secret, Map<string, SealedHost['send']>>();
  #last: { readonly text: string; readonly hosts: readonly SealedHost[] } = { text: '', hosts: [] };
  #seen: { readonly generation: number; readonly at: number } | undefined;

  constructor(parts: SealingParts) {
    this.#parts = parts;
    const { salt } = parts.incarnation;
    if (salt !== undefined) this.#be(salt);
  }

  /** Knows the secrets, as far as the store can be asked, and follows their changes. */
  open(): void {
    const { site, notify } = this.#parts;
    this.#following ??= new Following(site.store, site.copy.secrets, site.now, notify);
  }

  /** This host uses no encrypted network: it forgets the secrets, and the others forget its keys. */
  close(): void {
    const { site, incarnation } = this.#parts;
    this.#following?.[Symbol.dispose]();
    this.#following = undefined;
    if (site.copy.secrets.size > 0) site.copy.secrets.clear();
    if (incarnation.salt !== undefined) incarnation.end();
    if (site.self.esp !== undefined) this.#be(undefined);
  }

  /**
   * Ensures that the cluster has secrets and that the other hosts know that this one takes part. Throws NetError
   * `unavailable`.
   */
  async ensure(epoch: string): Promise<void> {
    this.open();
    await this.#following?.isComplete;
    await this.#ensureSecrets(epoch);
    if (this.#parts.incarnation.salt === undefined) this.renew();
    await announce(this.#parts.site, epoch);
  }

  /** False while this host lacks what `ensure` gives it. */
  get isReady(): boolean {
    const { site, incarnation } = this.#parts;
    return incarnation.salt !== undefined && site.copy.secrets.has('');
  }

  /** Begins with new keys: those of before cannot be used again. The others follow once they know. */
  renew(): void {
    this.#be(this.#parts.incarnation.renew());
  }

  /**
   * Tells the others of this host's salt, puts the secrets again that a store has lost, and begins the next generation when
   * it is due.
   */
  async tick(epoch: string): Promise<void> {
    const { site } = this.#parts;
    const { secrets, hosts } = site.copy;
    const own = hosts.get(site.self.id);
    if (own !== undefined && own.esp !== site.self.esp) await announce(site, epoch);
    const known = secrets.get('');
    if (this.#following === undefined || known === undefined) return;
    if (!secrets.stored().has('')) return await this.#ensureSecrets(epoch);
    const [now, wall] = [site.now(), site.wall()];
    if (this.#seen?.generation !== known.generation) this.#seen = { generation: known.generation, at: now };
    const age = now - this.#seen.at;
    const isDue = age >= GENERATION_MS || (age >= LEAST_MS && wall - known.at >= GENERATION_MS);
    if (isDue)
      await this.#put(epoch, rotated(known, wall), { kind: 'version', key: SECRETS_KEY, version: known.revision });
  }

  /**
   * The other hosts that take part; none while this host does not know the secrets. The same array while nothing has
   * changed. Whether a host has endpoints now does not count: the kernel must not forget how many packets it has sent.
   */
  hosts(): readonly SealedHost[] {
    const { copy, self } = this.#parts.site;
    const secrets = copy.secrets.get('');
    const own = this.#end(self.id, self);
    const ends = secrets === undefined || own === undefined ? [] : this.#others();
    const text = JSON.stringify([String(secrets?.revision), secrets?.generation, own, ends]);
    if (text !== this.#last.text) {
      const hosts = secrets && own ? ends.map((other) => this.#sealedHost(secrets, own, other)) : [];
      this.#last = { text, hosts };
    }
    return this.#last.hosts;
  }

  #others(): KeyEnd[] {
    const { copy, self } = this.#parts.site;
    const others = [...copy.hosts].filter(([id]) => id !== self.id);
    const ends = others.flatMap(([id, record]) => this.#end(id, record) ?? []);
    return ends.sort((a, b) => (a.host < b.host ? -1 : 1));
  }

  /** True if this host has sent with one of these SPIs since its last `renew`. */
  hasUsed(spi: number): boolean {
    return this.#parts.incarnation.hasUsed(spi);
  }

  /** Records that this host may have sent with these SPIs. Throws if the file cannot be written. */
  use(spis: readonly number[]): void {
    this.#parts.incarnation.use(spis, this.generation);
  }

  /** The generation that this host sends with; 0 while it does not know the secrets. */
  get generation(): number {
    return this.#parts.site.copy.secrets.get('')?.generation ?? 0;
  }

  watches(): readonly Following[] {
    return this.#following === undefined ? [] : [this.#following];
  }

  [Symbol.dispose](): void {
    this.#following?.[Symbol.dispose]();
  }

  #sealedHost({ previous, current, next }: Secrets, own: KeyEnd, other: KeyEnd): SealedHost {
    const alive = [previous, current, next].filter((secret) => secret !== undefined);
    return {
      host: other.address,
      send: this.#keyOf(current, own, other),
      receive: alive.map((secret) => this.#keyOf(secret, other, own)),
    };
  }

  /** As `keyOf`, which takes a tenth of a millisecond. */
  #keyOf(secret: Secret, from: KeyEnd, to: KeyEnd): SealedHost['send'] {
    const known = this.#keys.get(secret) ?? new Map<string, SealedHost['send']>();
    this.#keys.set(secret, known);
    const ends = JSON.stringify([from, to]);
    const found = known.get(ends) ?? keyOf(secret, from, to);
    known.set(ends, found);
    return found;
  }

  #be(salt: string | undefined): void {
    const { site, notify } = this.#parts;
    const { esp, ...self } = site.self;
    site.self = { ...self, ...given({ esp: salt }) };
    // `tick` says it again until the others know.
    if (site.epoch !== undefined && esp !== salt) announce(site, site.epoch).then(notify, () => {});
  }

  #end(host: string, record: Pick<HostRecord, 'underlay4' | 'underlay6' | 'esp'>): KeyEnd | undefined {
    const address = underlayOf(record, this.#parts.site.settings.underlay);
    return address === undefined || record.esp === undefined ? undefined : { host, address, salt: record.esp };
  }

  /** Throws NetError `conflict` if those of the cluster are malformed. */
  async #ensureSecrets(epoch: string): Promise<void> {
    const { copy, store, wall } = this.#parts.site;
    if (copy.secrets.stored().has('')) return;
    const found = (await listIn(store, epoch, SECRETS_KEY)).entries.get(SECRETS_KEY);
    if (found === undefined) {
      const secrets = copy.secrets.get('') ?? firstSecrets(wall());
      await this.#put(epoch, secrets, { kind: 'absent', key: SECRETS_KEY });
    } else if (parseSecrets(found.value) === undefined) throw malformed();
    else copy.learn([found]);
  }

  /** Another host may be first: then its secrets are the cluster's. */
  async #put(epoch: string, secrets: Secrets, condition: Condition): Promise<void> {
    const { copy, store } = this.#parts.site;
    const value = formatSecrets(secrets);
    await store.commit({ epoch, compare: [condition], put: [{ key: SECRETS_KEY, value }] });
    const found = (await listIn(store, epoch, SECRETS_KEY)).entries.get(SECRETS_KEY);
    if (found !== undefined && parseSecrets(found.value) === undefined) throw malformed();
    if (found !== undefined) copy.learn([found]);
    this.#parts.notify();
  }
}

/** Without the value, which may be a secret all the same. */
function malformed(): Error {
  const hint = 'Delete the key on the store: hosts make new secrets, and packets are lost meanwhile';
  return fault.conflict('cluster.encrypt', `key ${SECRETS_KEY}`, "the cluster's secrets are malformed", hint);
}
