import { NetlinkSocket, type Request } from '../../src/shared/netlink/socket.ts';

/** The requests of each `exchangeAsync` of this process, oldest first. Ends with `using`. */
export interface ExchangeWatch extends Disposable {
  readonly sent: (readonly Request[])[];
}

/** Every `exchangeAsync` sends what `before` makes of its requests, when that is done; the `nth` counts from 1. */
export function watchExchanges(
  before: (requests: readonly Request[], nth: number) => Promise<readonly Request[]> = (requests) =>
    Promise.resolve(requests),
): ExchangeWatch {
  const sent: (readonly Request[])[] = [];
  const real = NetlinkSocket.prototype.exchangeAsync;
  NetlinkSocket.prototype.exchangeAsync = async function (requests) {
    sent.push(requests);
    return real.call(this, await before(requests, sent.length));
  };
  return {
    sent,
    [Symbol.dispose]: () => {
      NetlinkSocket.prototype.exchangeAsync = real;
    },
  };
}
