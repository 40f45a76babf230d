import { LIMITS } from '../../config/limits.ts';

/**
 * The protocol between launcher and daemon over `cni.sock`: one call for each connection. build/launcher.ts passes the
 * numbers to launcher.c.
 *
 * Request, little-endian: REQUEST_BYTES of header, then the body: the name the launcher was called by and `NAME=value`
 * entries (all of the caller's), each ended by NUL, an empty entry, and stdin up to the end.
 *
 * | offset | size | what                                                                                          |
 * |--------|------|-----------------------------------------------------------------------------------------------|
 * | 0      | 4    | MAGIC                                                                                         |
 * | 4      | 2    | PROTOCOL_VERSION                                                                              |
 * | 6      | 2    | 0                                                                                             |
 * | 8      | 4    | bytes of the body                                                                             |
 * | 12     | 4    | descriptor of CNI_NETNS in the launcher, a network namespace; -1: none, or the path leads to none |
 * | 16     | 16   | 0; the daemon asks the kernel for the launcher's namespaces                                   |
 * | 32     | 8    | st_dev of the state directory; 0 without a directory                                          |
 * | 40     | 8    | st_ino of the state directory; 0 without a directory                                          |
 *
 * Answer: first one byte. DECLINE: nothing has been done and will be, call the stand-alone plugin; words for a log may
 * follow, up to the end. CLAIM: the daemon does it, once; then either ANSWER (ANSWER_BYTES: the byte, exit code as one
 * byte, two zero bytes, bytes of stdout, bytes of stderr; then both, MAX_ANSWER at most), or an early end, which means
 * that the daemon died.
 * The first byte means the same in every version of the protocol.
 */
export const MAGIC = 0x4d485349;
export const PROTOCOL_VERSION = 1;
export const REQUEST_BYTES = 48;
export const ANSWER_BYTES = 12;

export const CLAIM = 0x43;
export const DECLINE = 0x44;
export const ANSWER = 0x41;

/** Of a configuration, in bytes. */
export const MAX_STDIN = LIMITS.stdin;

/**
 * A body may have the whole of stdin (and one byte too many, to be refused by the handler) and an environment. The
 * stand-alone plugin serves what is larger.
 */
export const MAX_BODY = MAX_STDIN + LIMITS.environment;

/** stdout and stderr of an answer together. */
export const MAX_ANSWER = LIMITS.answer;

/** How long a launcher waits for the claim, in milliseconds, before it calls the stand-alone plugin. */
export const CLAIM_MS = 1000;

/** In the launcher's file, and in no other: a plugin of CNI_PATH in which it is found is Isthmus itself. */
export const LAUNCHER_MARK = 'isthmus-launcher:5f1f6f0c';

/**
 * What the names of the variables begin with that Node listens to, and what the launcher makes of it, in as many bytes,
 * before it becomes the plugin: they must not act on Node inside the plugin, and delegates get them as they were.
 */
export const NODE_PREFIX = 'NODE_';
export const NODE_RENAMED = 'NODE@';

/** One request, as it came. */
export interface LauncherRequest {
  /** The name that the launcher was called by (argv[0]). */
  readonly argv0: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Descriptor in the launcher; -1 for none. */
  readonly netnsFd: number;
  /** `dev:ino`; undefined where the caller sees no state directory. */
  readonly stateDir: string | undefined;
}
