import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { CODE, GrpcError } from './grpc/status.ts';

/** True if another member, or the same one a moment later, can answer the same call. */
export function isTransient({ code }: GrpcError): boolean {
  return [CODE.unavailable, CODE.deadlineExceeded, CODE.internal, CODE.aborted, CODE.cancelled].some(
    (one) => one === code,
  );
}

/** True if the token is no longer valid, so that the call needs a new one. */
export function isTokenRefused({ code, details }: GrpcError): boolean {
  return code === CODE.unauthenticated || /invalid auth token|revision of auth store is old/.test(details);
}

export function isAuthOff({ code, details }: GrpcError): boolean {
  return code === CODE.failedPrecondition && details.includes('authentication is not enabled');
}

/** True if a page asked for a revision that etcd has forgotten. */
export function isCompacted(thrown: unknown): boolean {
  return /has been compacted/.test(causeOf(thrown)?.details ?? '');
}

export function isLeaseGone(thrown: unknown): boolean {
  const cause = causeOf(thrown);
  return cause?.code === CODE.notFound && cause.details.includes('lease not found');
}

/** True for a lease whose id exists: a repeated grant finds its own. */
export function isLeaseThere(thrown: unknown): boolean {
  return /lease already exists/.test(causeOf(thrown)?.details ?? '');
}

function causeOf(thrown: unknown): GrpcError | undefined {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof GrpcError ? cause : undefined;
}

/** What failed, in words. */
export function reasonOf({ code, details }: GrpcError, waitedMs: number): string {
  if (code === CODE.deadlineExceeded) return `no answer within ${(waitedMs / 1000).toFixed(1)} s`;
  return details.trim() || `gRPC code ${code}`;
}

/** The error of a call that `endpoint` refused, or that all endpoints failed. */
export function failureOf(op: string, endpoints: ReadonlyMap<string, string>, error: GrpcError): NetError {
  const [first = ['', '']] = endpoints;
  const subject = `etcd ${endpoints.size === 1 ? first[0] : `at ${[...endpoints.keys()].join(', ')}`}`;
  const what =
    endpoints.size === 1 ? first[1] : [...endpoints].map(([endpoint, reason]) => `${endpoint}: ${reason}`).join('; ');
  const more = { cause: error };
  if (/request is too large|trying to send message larger/.test(what))
    return fault.unsupported(op, subject, what, 'Store less, or raise --max-request-bytes of etcd', more);
  return fault.unavailable(op, subject, what, hintOf(error, what), more);
}

function hintOf({ code }: GrpcError, what: string): string {
  if (/authentication failed/.test(what)) return 'Check user name and password of etcd';
  if (code === CODE.permissionDenied || /permission denied|user name is empty/.test(what))
    return "Grant the user, or the CN of the client certificate, read and write below the cluster's prefix";
  if (/certificate|self.signed|alert|altnames|handshake|EPROTO|SSL/i.test(what))
    return 'Check CA, client certificate and key, and the names in the certificate of etcd';
  if (/database space exceeded/.test(what)) return 'Compact and defragment etcd, then disarm its alarm (etcdctl)';
  if (/no leader|leader changed|request timed out/.test(what)) return 'etcd has no quorum: check its other members';
  if (/ENOTFOUND|EAI_AGAIN|Name resolution/.test(what)) return 'Check the name of the endpoint';
  return 'Check that etcd runs and that the endpoint is reachable from this host';
}
