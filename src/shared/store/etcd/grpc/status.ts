import { constants, type IncomingHttpHeaders } from 'node:http2';

/** Codes of gRPC (statuscodes.md) that etcd, what stands before it, or this client answers with. */
export const CODE = {
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** A call that failed: by the server's word, or because there was none. */
export class GrpcError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string) {
    super(`gRPC code ${code}: ${details}`);
    this.name = 'GrpcError';
    this.code = code;
    this.details = details;
  }
}

/** The server's word on the call: `ok`, an error, or undefined where these headers say nothing. */
export function statusOf(headers: IncomingHttpHeaders): GrpcError | 'ok' | undefined {
  const status = headers['grpc-status'];
  if (status === undefined) return undefined;
  if (status === '0') return 'ok';
  const details = decodeMessage(String(headers['grpc-message'] ?? ''));
  const code = /^\d{1,2}$/.test(String(status)) ? Number(status) : CODE.unknown;
  return new GrpcError(code, details);
}

/** Why an answer that begins with these headers is none of gRPC; undefined if it can be one. */
export function refusalOf(headers: IncomingHttpHeaders): GrpcError | undefined {
  const status = Number(headers[':status']);
  if (status !== 200) return new GrpcError(codeOfHttp(status), `HTTP status ${status} instead of an answer of gRPC`);
  const type = headers['content-type'] ?? 'nothing';
  if (/^application\/grpc(?:$|[+;])/.test(type)) return undefined;
  return new GrpcError(CODE.unknown, `content-type ${type} instead of application/grpc`);
}

/** Error codes of HTTP/2 (RFC 9113 §7), numbered from 0. */
const NAMES = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];

/** The name of an error code of HTTP/2, or its number. */
export function nameOfReset(code: number): string {
  return NAMES[code] ?? String(code);
}

/** What a stream's RST_STREAM means (gRPC over HTTP2, "Errors"). */
export function resetOf(code: number): GrpcError {
  if (code === constants.NGHTTP2_NO_ERROR) return new GrpcError(CODE.internal, 'the answer ended without a status');
  return new GrpcError(RESETS.get(code) ?? CODE.internal, `the call was reset: ${nameOfReset(code)}`);
}

const RESETS: ReadonlyMap<number, number> = new Map([
  [constants.NGHTTP2_REFUSED_STREAM, CODE.unavailable],
  [constants.NGHTTP2_CANCEL, CODE.cancelled],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, CODE.resourceExhausted],
  [constants.NGHTTP2_INADEQUATE_SECURITY, CODE.permissionDenied],
]);

/** http-grpc-status-mapping.md */
function codeOfHttp(status: number): number {
  switch (status) {
    case 400:
      return CODE.internal;
    case 401:
      return CODE.unauthenticated;
    case 403:
      return CODE.permissionDenied;
    case 404:
      return CODE.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return CODE.unavailable;
    default:
      return CODE.unknown;
  }
}

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
