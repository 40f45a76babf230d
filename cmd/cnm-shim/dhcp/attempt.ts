import type { Client, Phase } from '../../../src/shared/dhcp/states.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { formatAddr } from '../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import type { News } from './session.ts';

/** What an attempt to lease an address has met, for the error if it fails. */
export class Attempt {
  readonly #attachment: Attachment;
  readonly #met: string[] = [];
  /** A server has answered, although nothing that helps. */
  #isAnswered = false;

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
  }

  /** An obstacle, once. */
  met(what: string): void {
    if (!this.#met.includes(what)) this.#met.push(what);
  }

  heard(news: News): void {
    if (news.do === 'ignored') {
      this.#isAnswered = true;
      this.met(`a server ${news.why}`);
    }
    if (news.do === 'declined') this.met(`${news.mac} has ${formatAddr(news.address)} already`);
  }

  /** NetError `no-lease`: what was sent last, and what came of it. */
  failed(client: Client, mac: string, seconds: number): NetError {
    const { phase, offer, sent, refusals } = client;
    const met =
      refusals > 0 && this.#met.length === 0 ? ['the server refused the address that it had offered'] : this.#met;
    const unanswered = UNANSWERED[phase](sent, offer && formatAddr(offer.lease.server));
    const isUseless = phase === 'selecting' && this.#isAnswered;
    const what = [isUseless ? 'no server has offered an address that can be used' : unanswered, ...met].join('; ');
    return this.#error(`${what} (within ${seconds} s, from ${mac})`);
  }

  gone(): NetError {
    return this.#error('the interface is gone');
  }

  left(): NetError {
    return this.#error('the caller has left');
  }

  #error(what: string): NetError {
    const { containerId, ifName, network } = this.#attachment;
    const hint = `Check that a DHCP server is on network ${network}, has free addresses, and accepts this client`;
    return fault.noLease('dhcp', `container ${containerId} interface ${ifName}`, what, hint);
  }
}

type Told = (sent: number, server: string | undefined) => string;

const WAITING = 'no server has acknowledged an address';
const UNANSWERED: Readonly<Record<Phase, Told>> = {
  waiting: () => WAITING,
  selecting: (sent) => `${counted(sent, 'DISCOVER')} unanswered`,
  requesting: (sent, server) => `${server} offered an address, and ${counted(sent, 'REQUEST')} unanswered`,
  probing: () => 'the leased address is still being probed',
  bound: () => WAITING,
  renewing: () => WAITING,
  rebinding: () => WAITING,
};

function counted(sent: number, what: string): string {
  return sent === 1 ? `one ${what} was` : `${sent} ${what} were`;
}
