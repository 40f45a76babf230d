import { connect } from 'node:net';
import { join } from 'node:path';
import { CATALOG, type ErrorKind } from '../../src/shared/errors/catalog.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { asNetError, hasCode, NetError } from '../../src/shared/errors/net-error.ts';
import { field, parseJson, textField } from '../../src/shared/model/json.ts';
import type { ClusterInfo, RemoteInfo } from '../../src/shared/ops/cluster.ts';

/** What the verbs of `cluster` ask the daemon, and its answers. */
export interface ClusterCalls {
  status(): Promise<ClusterInfo>;
  /** The endpoints or ranges of a network, by its name, on other hosts. */
  remote(network: string): Promise<readonly RemoteInfo[]>;
  /** Returns the number of deleted keys. */
  forget(host: string): Promise<number>;
  /** Returns the path of the daemon's cluster.json. */
  leave(): Promise<string>;
  /** As `leave`, for a daemon that is no member: its keys stay. */
  forceLeave(): Promise<string>;
}

export const VERBS = ['status', 'remote', 'forget', 'leave', 'force-leave'] as const;

export interface ClusterCall {
  readonly verb: (typeof VERBS)[number];
  /** A network or a host; empty where the verb has none. */
  readonly name: string;
}

/** The socket of a daemon that belongs to a cluster, in its run directory. */
export const clusterSocket = (runDir: string): string => join(runDir, 'cluster.sock');

const ANSWER_MS = 20_000;

/**
 * Asks the daemon. Each call is one connection: a line of JSON there, and one back. A call throws the daemon's NetError;
 * `unavailable` if no daemon with a cluster answers.
 */
export function clusterCalls(runDir: string): ClusterCalls {
  const ask = async (verb: ClusterCall['verb'], name = ''): Promise<never> => {
    const answer = parseJson(await exchange(clusterSocket(runDir), `${JSON.stringify({ verb, name })}\n`)) as unknown;
    const error = field(answer, 'error');
    if (error !== undefined) throw parseError(error);
    // The daemon is the same program, so its answer has the call's type.
    return field(answer, 'result') as never;
  };
  return {
    status: () => ask('status'),
    remote: (network) => ask('remote', network),
    forget: (host) => ask('forget', host),
    leave: () => ask('leave'),
    forceLeave: () => ask('force-leave'),
  };
}

/** Undefined for a line that this program did not write. */
export function parseCall(line: string): ClusterCall | undefined {
  try {
    const call = parseJson(line) as unknown;
    const verb = VERBS.find((known) => known === field(call, 'verb'));
    return verb && { verb, name: textField(call, 'name') ?? '' };
  } catch {
    return undefined;
  }
}

export function formatAnswer(result: unknown): string {
  return `${JSON.stringify({ result })}\n`;
}

export function formatFailure(thrown: unknown): string {
  const { kind, op, subject, what, hint, reason } = asNetError(thrown, 'cluster');
  return `${JSON.stringify({ error: { kind, op, subject, what, hint, reason } })}\n`;
}

function parseError(error: unknown): NetError {
  const text = (key: string): string => textField(error, key) ?? '';
  const kind: ErrorKind = text('kind') in CATALOG ? (text('kind') as ErrorKind) : 'internal';
  const [op, subject, what, hint, reason] = ['op', 'subject', 'what', 'hint', 'reason'].map(text);
  return new NetError({
    ...{ kind, op: op ?? '', subject: subject ?? '', what: what ?? '', hint: hint ?? '', reason: reason ?? '' },
  });
}

function exchange(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect(path, () => connection.write(request)).setEncoding('utf8');
    const fail = (what: string, cause?: unknown): void => {
      connection.destroy();
      const hint = 'Start the daemon with a file cluster.json (isthmus cluster join), or give its --run-dir';
      reject(fault.unavailable('cluster', `socket ${path}`, what, hint, { cause }));
    };
    connection.setTimeout(ANSWER_MS, () => fail(`the daemon does not answer within ${ANSWER_MS / 1000} s`));
    connection.on('data', (piece: string) => {
      answer += piece;
    });
    connection.on('end', () => {
      if (answer.endsWith('\n')) resolve(answer);
      else fail('the daemon ended before it had answered');
    });
    connection.on('error', (error) => {
      const isAbsent = hasCode(error, ['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);
      fail(isAbsent ? 'no daemon that belongs to a cluster serves it' : error.message, error);
    });
  });
}
