import { join } from 'node:path';
import { hasCode } from '../../../src/shared/errors/net-error.ts';
import { field, parseJson, textField } from '../../../src/shared/model/json.ts';
import type { ControlAnswer, DaemonStatus } from '../../../src/shared/ops/control.ts';
import { controlSocket } from './socket.ts';

/** The daemon answers in a few milliseconds: one that takes longer hangs. */
const ANSWER_MS = 300;
const MAX_BYTES = 1 << 20;
const ABSENT = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'];

/** Asks the daemon of this run directory how it is. Never rejects. */
export async function askDaemon(runDir: string): Promise<ControlAnswer> {
  const socket = controlSocket(runDir);
  try {
    return parseStatus(await get(socket, '/v1/status'));
  } catch (thrown) {
    if (hasCode(thrown, ABSENT)) return await withoutControl(runDir);
    // The daemon hangs up on other users.
    const isOther = process.getuid?.() !== 0 && hasCode(thrown, ['ECONNRESET', 'EPIPE']);
    if (isOther || hasCode(thrown, ['EACCES', 'EPERM']))
      return { state: 'refused', why: `only root may ask it (${socket})` };
    if (hasCode(thrown, [LATE])) return { state: 'hung', why: `it does not answer within ${ANSWER_MS} ms (${socket})` };
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { state: 'broken', why: `its answer is of no use: ${reason}` };
  }
}

/** A daemon of an earlier version has a socket for calls, and no other. */
async function withoutControl(runDir: string): Promise<ControlAnswer> {
  const socket = join(runDir, 'cni.sock');
  const isThere = await new Promise<boolean>((resolve) => {
    const connection = process.getBuiltinModule('node:net').connect(socket);
    const finish = (answered: boolean): void => {
      connection.destroy();
      resolve(answered);
    };
    connection.setTimeout(ANSWER_MS, () => finish(true));
    connection.once('connect', () => finish(true));
    connection.once('error', (error) => finish(!hasCode(error, [...ABSENT, 'EACCES', 'EPERM'])));
  });
  if (isThere) return { state: 'old', why: `it listens on ${socket}, and has no control.sock` };
  return { state: 'absent', why: `nothing listens in ${runDir}` };
}

const LATE = 'ETIMEDOUT';

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const late = Object.assign(new Error('no answer in time'), { code: LATE });
    const fail = (error: unknown): void => reject(signal.aborted ? late : error);
    const { request } = process.getBuiltinModule('node:http');
    const asked = request({ socketPath, path, signal, agent: false, headers: { host: 'isthmus' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        if (text.length > MAX_BYTES) response.destroy(new Error('it is too long'));
      });
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`HTTP status ${response.statusCode}`));
      });
    });
    asked.on('error', fail);
    asked.end();
  });
}

/** The daemon is the same program, or another version of it: fields may be missing. */
function parseStatus(text: string): ControlAnswer {
  const answer: unknown = parseJson(text);
  const version = textField(answer, 'version');
  const startedAt = textField(answer, 'startedAt');
  if (version === undefined || startedAt === undefined) return { state: 'broken', why: 'its answer names no version' };
  const number = (of: unknown, key: string): number => Number(field(of, key) ?? 0) || 0;
  const delay = field(answer, 'eventLoopDelayMs');
  const calls = field(answer, 'calls');
  const errors = field(answer, 'lastErrors');
  const docker = textField(field(answer, 'sockets'), 'docker');
  const status: DaemonStatus = {
    version,
    startedAt,
    pid: number(answer, 'pid'),
    uptimeSeconds: number(answer, 'uptimeSeconds'),
    rssBytes: number(answer, 'rssBytes'),
    eventLoopDelayMs: { p50: number(delay, 'p50'), p99: number(delay, 'p99'), max: number(delay, 'max') },
    calls: { running: number(calls, 'running'), waiting: number(calls, 'waiting') },
    sockets: {
      cni: textField(field(answer, 'sockets'), 'cni') ?? '',
      control: textField(field(answer, 'sockets'), 'control') ?? '',
      ...(docker === undefined ? {} : { docker }),
    },
    lastErrors: (Array.isArray(errors) ? errors : []).map((one: unknown) => ({
      at: textField(one, 'at') ?? '',
      operation: textField(one, 'operation') ?? '',
      subject: textField(one, 'subject') ?? '',
      message: textField(one, 'message') ?? '',
      code: number(one, 'code'),
    })),
  };
  return { state: 'answers', status };
}
