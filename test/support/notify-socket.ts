import { closeSync, openSync } from 'node:fs';
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from '../../src/shared/netlink/constants.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { loadLibrary, recv, socket } from '../../src/shared/netlink/sys.ts';

/** The service manager's end of sd_notify(3): a datagram socket, of which all messages are kept. */
export interface NotifySocket extends Disposable {
  /** For NOTIFY_SOCKET. */
  readonly name: string;
  readonly messages: readonly string[];
  /** When `count` messages like this have come. */
  message(pattern: RegExp, count?: number): Promise<void>;
}

/** Listens at the path, or with a leading `@` on the abstract name, which belongs to the network namespace at `netns`. */
export function openNotifySocket(name: string, netns = '/proc/self/ns/net'): NotifySocket {
  const { bind } = loadLibrary(null, { bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] } });
  const fd = socketIn(netns);
  const path = Buffer.from(name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`);
  const address = Buffer.concat([Buffer.of(AF_UNIX, 0), path]);
  if (bind(fd, address, address.length) !== 0) throw new Error(`bind ${name}`);
  const messages: string[] = [];
  const buffer = Buffer.alloc(8192);
  const read = (): void => {
    for (let n = recv(fd, buffer, MSG_DONTWAIT); n !== undefined; n = recv(fd, buffer, MSG_DONTWAIT))
      messages.push(buffer.toString('utf8', 0, n));
  };
  return {
    name,
    get messages() {
      read();
      return messages;
    },
    async message(pattern, count = 1) {
      for (read(); messages.filter((text) => pattern.test(text)).length < count; read())
        await new Promise((wake) => setTimeout(wake, 10));
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function socketIn(netns: string): number {
  const [there, home] = [openSync(netns, 'r'), openSync('/proc/self/ns/net', 'r')];
  try {
    return withinNetns(there, home, () => socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  } finally {
    closeSync(there);
    closeSync(home);
  }
}
