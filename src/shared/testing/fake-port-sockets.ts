import { fault } from '../errors/fault.ts';
import type { PortPlace, PortSockets, Unheld } from '../host/port-sockets.ts';

/** Sockets in memory, each by its place as text. */
export class FakePortSockets implements PortSockets {
  /** By descriptor. */
  readonly open = new Map<number, string>();
  /** Places that cannot be bound. */
  readonly refused = new Map<string, Unheld>();
  #next = 3;

  bind(place: PortPlace): number | Unheld {
    const text = placeText(place);
    const refused = this.refused.get(text);
    if (refused !== undefined) return refused;
    if ([...this.open.values()].includes(text)) return 'taken';
    this.open.set(this.#next, text);
    return this.#next++;
  }

  close(descriptor: number): void {
    if (this.open.delete(descriptor)) return;
    throw fault.internal('close', `descriptor ${descriptor}`, 'it is not open');
  }
}

/** `udp 192.0.2.14 53`: the address, `*` for all, with its family; no family for both. */
export function placeText({ protocol, address = '*', family, port }: PortPlace): string {
  return `${protocol} ${address}${family ?? ''} ${port}`;
}
