import type { ArgumentType, FunctionDefinitions, ReturnType, WrappedFunctionsFromDefinitions } from 'node:ffi';
import { write } from 'node:fs';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { EAGAIN, EINTR, ENODEV } from './constants.ts';

/** Both keys are required: node:ffi silently ignores a misspelt one and then treats the function as `void f()`. */
export interface Signature {
  readonly return: ReturnType;
  readonly arguments: readonly ArgumentType[];
}

const LIBC = {
  socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  connect: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
  bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
  send: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32'] },
  recv: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32'] },
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'] },
  setns: { return: 'i32', arguments: ['i32', 'i32'] },
  ioctl: { return: 'i32', arguments: ['i32', 'u64', 'u64'] },
} as const satisfies Record<string, Signature>;

type Libc = WrappedFunctionsFromDefinitions<typeof LIBC>;

let libc: Libc | undefined;
let errnoAddress: bigint | undefined;
let messages: { readonly strerror: (error: number) => bigint } | undefined;

/**
 * Loads functions of a shared library, with the arity of their signatures. `path` null is the process itself, which
 * contains the C library. Throws NetError `unsupported` if the library or one of the functions is missing.
 */
export function loadLibrary<const T extends FunctionDefinitions & Record<string, Signature>>(
  path: string | null,
  signatures: T,
): WrappedFunctionsFromDefinitions<T> {
  let functions: WrappedFunctionsFromDefinitions<T>;
  try {
    functions = ffi().dlopen(path, signatures).functions;
    addressOfErrno();
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw fault.unsupported('load', path ?? 'the C library', what, undefined, { cause });
  }
  for (const [name, signature] of Object.entries(signatures)) {
    const arity = functions[name]?.length;
    if (arity === signature.arguments.length) continue;
    const what = `${name} takes ${arity} arguments, not ${signature.arguments.length}`;
    throw fault.internal('load', path ?? 'the C library', what);
  }
  return functions;
}

/** Reads the string at a `char *`; empty for a null pointer. */
export function textAt(pointer: bigint): string {
  return ffi().toString(pointer) ?? '';
}

/** Returns the address of the bytes, for a structure that points to them. Keep the bytes alive while it is used. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return ffi().getRawPointer(bytes);
}

/** Opens a socket in the calling thread's network namespace and returns its descriptor. */
export function socket(domain: number, type: number, protocol: number): number {
  return checked('socket', libcFunctions().socket(domain, type, protocol));
}

/** `address` is a struct sockaddr. */
export function connect(fd: number, address: Uint8Array): void {
  checked('connect', libcFunctions().connect(fd, address, address.length));
}

/** Binds the socket and returns 0, or the errno that refuses it. `address` is a struct sockaddr. */
export function bind(fd: number, address: Uint8Array): number {
  return libcFunctions().bind(fd, address, address.length) < 0 ? errno() : 0;
}

const F_DUPFD_CLOEXEC = 1030;

let duplicates: { readonly fcntl: (fd: number, command: number, lowest: number) => number } | undefined;

/** Returns another descriptor of the same file: the lowest free number that is not below `lowest`. */
export function duplicate(fd: number, lowest: number): number {
  duplicates ??= loadLibrary(null, { fcntl: { return: 'i32', arguments: ['i32', 'i32', 'i32'] } });
  return checked('fcntl', duplicates.fcntl(fd, F_DUPFD_CLOEXEC, lowest));
}

/** Returns the number of bytes sent. Retries on EINTR. */
export function send(fd: number, bytes: Uint8Array, flags: number): number {
  const length = BigInt(bytes.length);
  return restarted('send', () => libcFunctions().send(fd, bytes, length, flags));
}

/** Returns the bytes received, or undefined on EAGAIN. Retries on EINTR. Throws NetError for other errnos. */
export function recv(fd: number, buffer: Uint8Array, flags: number): number | undefined {
  const { recv: call } = libcFunctions();
  for (;;) {
    const result = Number(call(fd, buffer, BigInt(buffer.length), flags));
    if (result >= 0) return result;
    const error = errno();
    if (error === EAGAIN) return undefined;
    if (error !== EINTR) throw systemError('recv', error);
  }
}

export function setsockopt(fd: number, level: number, option: number, value: Uint8Array): void {
  checked('setsockopt', libcFunctions().setsockopt(fd, level, option, value, value.length));
}

/** Returns `size` bytes of the option's value; `question` is the initial content for options that read it. */
export function getsockopt(
  fd: number,
  level: number,
  option: number,
  size: number,
  question: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const value = new Uint8Array(size);
  value.set(question);
  checked('getsockopt', libcFunctions().getsockopt(fd, level, option, value, new Uint32Array([size])));
  return value;
}

/** Moves the calling thread to the namespace of `fd`; `type` is CLONE_NEW*. Source: setns(2). */
export function setns(fd: number, type: number): void {
  checked('setns', libcFunctions().setns(fd, type));
}

/** Returns the result of an ioctl with an integer argument, or an address. */
export function ioctl(fd: number, request: number, argument: number | bigint = 0): number {
  return checked('ioctl', libcFunctions().ioctl(fd, BigInt(request), BigInt(argument)));
}

const SIOCGIFINDEX = 0x8933;
/** struct ifreq: the name (IFNAMSIZ), then a union. linux/if.h */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

let requests: { readonly ioctl: (fd: number, request: bigint, argument: Uint8Array) => number } | undefined;

/**
 * Returns the index of the link in a socket's network namespace, or undefined if it does not exist. Unlike a rtnetlink
 * request it never waits for other changes of links. Source: netdevice(7).
 */
export function linkIndex(socketFd: number, name: string): number | undefined {
  requests ??= loadLibrary(null, { ioctl: { return: 'i32', arguments: ['i32', 'u64', 'pointer'] } });
  const request = Buffer.alloc(IFREQ_BYTES);
  if (request.write(name, 0, IFNAMSIZ) >= IFNAMSIZ) return undefined;
  if (requests.ioctl(socketFd, BigInt(SIOCGIFINDEX), request) === 0) return request.readInt32LE(IFNAMSIZ);
  const error = errno();
  if (error === ENODEV) return undefined;
  throw systemError('ioctl', error);
}

const SIOCOUTQ = 0x5411;

/** Bytes that the socket has been given and the kernel has not handed to the network yet. Source: udp(7). */
export function unsentBytes(fd: number): number {
  requests ??= loadLibrary(null, { ioctl: { return: 'i32', arguments: ['i32', 'u64', 'pointer'] } });
  const count = new Int32Array(1);
  checked('ioctl', requests.ioctl(fd, BigInt(SIOCOUTQ), new Uint8Array(count.buffer)));
  return count[0] ?? 0;
}

/** The C library's text for an error number: `No such device`. */
export function strerror(error: number): string {
  messages ??= loadLibrary(null, { strerror: { return: 'pointer', arguments: ['i32'] } });
  return textAt(messages.strerror(error));
}

/** NetError `kernel` for a failed system call. */
export function systemError(call: string, error: number): NetError {
  return fault.kernel(call, 'system call', 'it failed', undefined, { errno: error, reason: strerror(error) });
}

/** NetError `kernel` for the last failed call of a library from `loadLibrary`. */
export function systemErrorOfCall(call: string): NetError {
  return systemError(call, errno());
}

/** The errno of that call. */
export function errnoOfCall(): number {
  return errno();
}

function restarted(call: string, work: () => bigint): number {
  for (;;) {
    const result = Number(work());
    if (result >= 0) return result;
    const error = errno();
    if (error !== EINTR) throw systemError(call, error);
  }
}

/** Sends the bytes on a thread of libuv's pool: write(2) on a connected socket is send(2) without flags. */
export function writeInPool(fd: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const attempt = (): void =>
      write(fd, bytes, 0, bytes.length, null, (error) => {
        if (error === null) resolve();
        else if (error.code === 'EAGAIN' || error.code === 'EINTR') setImmediate(attempt);
        else reject(systemError('write', Math.abs(error.errno ?? 0)));
      });
    attempt();
  });
}

function checked(call: string, result: number): number {
  if (result < 0) throw systemError(call, errno());
  return result;
}

/** errno of this thread: both its address and this module instance belong to one thread. */
function errno(): number {
  return ffi().getInt32(addressOfErrno());
}

/** Loading the function that tells it changes errno, so this comes before the first call. */
function addressOfErrno(): bigint {
  const signatures = { __errno_location: { return: 'pointer', arguments: [] } } as const;
  errnoAddress ??= ffi().dlopen(null, signatures).functions.__errno_location();
  return errnoAddress;
}

function libcFunctions(): Libc {
  libc ??= loadLibrary(null, LIBC);
  return libc;
}

/** Looks it up by name on first use: an import would load it in calls that need no kernel. */
function ffi(): typeof import('node:ffi') {
  return process.getBuiltinModule('node:ffi');
}
