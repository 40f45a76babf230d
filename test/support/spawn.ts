import { closeSync, fstatSync, readSync } from 'node:fs';
import { addressOf, loadLibrary } from '../../src/shared/netlink/sys.ts';

/** Flags of posix_spawn(3) and the sizes of its structures, in bytes, with room to spare; all as glibc has them. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const ATTRIBUTES_SIZE = 512;
const ACTIONS_SIZE = 128;
const SIGNALS_SIZE = 128;
const MFD_CLOEXEC = 1;
const O_RDONLY = 0;
const O_APPEND = 0o2000;
const F_SETFL = 4;

const libc = loadLibrary(null, {
  posix_spawnp: { return: 'i32', arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'pointer', 'pointer'] },
  posix_spawnattr_init: { return: 'i32', arguments: ['pointer'] },
  posix_spawnattr_setflags: { return: 'i32', arguments: ['pointer', 'i16'] },
  posix_spawnattr_setsigdefault: { return: 'i32', arguments: ['pointer', 'pointer'] },
  posix_spawn_file_actions_init: { return: 'i32', arguments: ['pointer'] },
  posix_spawn_file_actions_adddup2: { return: 'i32', arguments: ['pointer', 'i32', 'i32'] },
  posix_spawn_file_actions_addopen: { return: 'i32', arguments: ['pointer', 'i32', 'pointer', 'i32', 'u32'] },
  posix_spawn_file_actions_destroy: { return: 'i32', arguments: ['pointer'] },
  memfd_create: { return: 'i32', arguments: ['pointer', 'u32'] },
  fcntl: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  waitpid: { return: 'i32', arguments: ['i32', 'pointer', 'i32'] },
});

const NULL_DEVICE = text('/dev/null');
const MEMFD_NAME = text('isth-output');
const ATTRIBUTES = attributes();
/** The strings that posix_spawn is reading by their addresses. */
const held: unknown[] = [];

/**
 * The stdout of a program that has run to its end without an input; throws with its stderr where it failed. The same as
 * execFileSync, by posix_spawn: node:child_process forks, and copying and dropping the page tables of a process that
 * runs tests costs 8 ms of processor time for each program.
 */
export function runProgram(file: string, args: readonly string[]): string {
  const [out, err] = [memfd(), memfd()];
  try {
    const status = waitFor(start(file, args, out, err));
    const stdout = contentOf(out);
    if (status === 0) return stdout;
    const stderr = contentOf(err);
    const error = new Error(`Command failed: ${[file, ...args].join(' ')}\n${stderr}`);
    // As wait(2) has it: the exit code in the second byte, the signal in the low bits of the first.
    throw Object.assign(error, { status: (status & 0x7f) === 0 ? status >> 8 : null, stdout, stderr });
  } finally {
    for (const fd of [out, err]) closeSync(fd);
  }
}

/** The id of the process, whose stdin is empty. */
function start(file: string, args: readonly string[], out: number, err: number): number {
  const actions = new Uint8Array(ACTIONS_SIZE);
  libc.posix_spawn_file_actions_init(actions);
  try {
    libc.posix_spawn_file_actions_addopen(actions, 0, NULL_DEVICE, O_RDONLY, 0);
    libc.posix_spawn_file_actions_adddup2(actions, out, 1);
    libc.posix_spawn_file_actions_adddup2(actions, err, 2);
    const argv = stringsOf([file, ...args]);
    const envp = stringsOf(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));
    held.push(argv, envp);
    const pid = new Int32Array(1);
    const error = libc.posix_spawnp(pid, text(file), actions, ATTRIBUTES, argv.pointers, envp.pointers);
    if (error !== 0) throw new Error(`${file} could not be started: errno ${error}`);
    return pid[0] ?? 0;
  } finally {
    held.length = 0;
    libc.posix_spawn_file_actions_destroy(actions);
  }
}

/** Every signal as a new process has it: Node itself ignores SIGPIPE. */
function attributes(): Uint8Array {
  const made = new Uint8Array(ATTRIBUTES_SIZE);
  libc.posix_spawnattr_init(made);
  libc.posix_spawnattr_setflags(made, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  libc.posix_spawnattr_setsigdefault(made, new Uint8Array(SIGNALS_SIZE).fill(0xff));
  return made;
}

/** The status of the process, which has ended, as wait(2) has it. */
function waitFor(pid: number): number {
  const status = new Int32Array(1);
  // Interrupted by signals.
  while (libc.waitpid(pid, status, 0) !== pid);
  return status[0] ?? 0;
}

/**
 * A file in memory, which is not inherited. Whoever writes appends: the kernel does not lock the offset that processes
 * share in such a file, so what they write at the same time would overwrite each other (FMODE_ATOMIC_POS, which
 * do_dentry_open in fs/open.c sets and memfd_create does not pass).
 */
function memfd(): number {
  const fd = libc.memfd_create(MEMFD_NAME, MFD_CLOEXEC);
  if (fd < 0 || libc.fcntl(fd, F_SETFL, O_APPEND) !== 0) throw new Error('no file in memory could be made');
  return fd;
}

function contentOf(fd: number): string {
  const content = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, content, 0, content.length, 0);
  return content.toString();
}

function text(word: string): Buffer<ArrayBuffer> {
  return Buffer.from(`${word}\0`);
}

/** A char *[] that ends with a null pointer. `bytes` holds the strings: keep it as long as the pointers. */
function stringsOf(words: readonly string[]): { readonly pointers: BigUint64Array; readonly bytes: Uint8Array } {
  const bytes = text(words.join('\0'));
  const start = addressOf(bytes);
  const pointers = new BigUint64Array(words.length + 1);
  let at = 0;
  for (const [i, word] of words.entries()) {
    pointers[i] = start + BigInt(at);
    at += Buffer.byteLength(word) + 1;
  }
  return { pointers, bytes };
}
