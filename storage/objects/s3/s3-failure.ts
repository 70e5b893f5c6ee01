import { BerthwatchError, messageOf, type ErrorKind } from '../../../base/errors.js';

/** What a server answered instead of what was asked for. */
export class S3Failure extends Error {
  readonly status: number;
  /** S3's word for it, `NoSuchKey`; of an answer without a body, as HEAD gets it, made from the status. */
  readonly code: string;
  /** Unix ms of the server's `Date`; null where it has none. */
  readonly serverTime: number | null;
  /** Region that the server would have liked. */
  readonly region: string | null;

  constructor(status: number, code: string, message: string, more: { serverTime: number | null; region: string | null }) {
    super(message);
    this.name = 'S3Failure';
    this.status = status;
    this.code = code;
    this.serverTime = more.serverTime;
    this.region = more.region;
  }
}

/** Nothing moved for too long. */
export class S3Timeout extends Error {
  constructor(ms: number) {
    super(`nothing moved for ${ms / 1000} s`);
    this.name = 'S3Timeout';
  }
}

type Mapped = readonly [kind: ErrorKind, code: string, words: string];

const CREDENTIALS: Mapped = ['unauthorised', 'OBJECT_STORE_CREDENTIALS', 'the server refuses our credentials: compare access key and secret key (S3_ACCESS_KEY, S3_SECRET_KEY) with those of the server'];
const AWAY = (words: string): Mapped => ['unavailable', 'OBJECT_STORE_AWAY', words];

/** By S3's code. */
const BY_CODE: Record<string, Mapped> = {
  NoSuchKey: ['not-found', 'OBJECT_NOT_FOUND', 'there is no such object'],
  NoSuchVersion: ['not-found', 'OBJECT_NOT_FOUND', 'there is no such object'],
  NotFound: ['not-found', 'OBJECT_NOT_FOUND', 'there is no such object'],
  NoSuchUpload: ['not-found', 'OBJECT_UPLOAD_GONE', 'the upload in parts is gone'],
  NoSuchBucket: ['unavailable', 'OBJECT_STORE_BUCKET', 'there is no such bucket: create it, correct its name (S3_BUCKET), or set objects.s3.createBucket'],
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  AccessDenied: ['unauthorised', 'OBJECT_STORE_CREDENTIALS', 'the server refuses access: let the access key list, read, write and delete in the bucket'],
  AllAccessDisabled: ['unauthorised', 'OBJECT_STORE_CREDENTIALS', 'the server refuses all access to the bucket: ask who runs it'],
  RequestTimeTooSkewed: ['unavailable', 'OBJECT_STORE_CLOCK', 'this host’s clock and the server’s differ by more than the server allows: set both by NTP'],
  RequestExpired: ['unavailable', 'OBJECT_STORE_CLOCK', 'this host’s clock and the server’s differ by more than the server allows: set both by NTP'],
  SlowDown: AWAY('the server asks for fewer requests: lower footage.archive.concurrency or bandwidth if it stays so'),
  SlowDownRead: AWAY('the server asks for fewer requests'),
  SlowDownWrite: AWAY('the server asks for fewer requests: lower footage.archive.concurrency or bandwidth if it stays so'),
  BadDigest: AWAY('what arrived was not what was sent: the network damages data'),
  XAmzContentSHA256Mismatch: AWAY('what arrived was not what was sent: the network damages data'),
  XMinioStorageFull: ['unavailable', 'OBJECT_STORE_FULL', 'the server’s disks are full: free space there, or shorten the retention'],
  QuotaExceeded: ['unavailable', 'OBJECT_STORE_FULL', 'the bucket’s quota is used up: raise it, or shorten the retention'],
  XMinioAdminBucketQuotaExceeded: ['unavailable', 'OBJECT_STORE_FULL', 'the bucket’s quota is used up: raise it, or shorten the retention'],
  PreconditionFailed: ['conflict', 'OBJECT_EXISTS', 'there is such an object already'],
  ConditionalRequestConflict: ['conflict', 'OBJECT_EXISTS', 'there is such an object already'],
  ObjectLocked: ['conflict', 'OBJECT_LOCKED', 'a lock holds the object: it can be removed when the lock has ended'],
  InvalidRange: ['bad-input', 'OBJECT_RANGE', 'the object has no such bytes'],
  AuthorizationHeaderMalformed: ['bad-input', 'OBJECT_STORE_REGION', 'the bucket is in another region: set S3_REGION'],
  PermanentRedirect: ['bad-input', 'OBJECT_STORE_REGION', 'the bucket is to be reached elsewhere: correct S3_ENDPOINT and S3_REGION'],
  MovedPermanently: ['bad-input', 'OBJECT_STORE_REGION', 'the bucket is to be reached elsewhere: correct S3_ENDPOINT and S3_REGION'],
  InvalidBucketName: ['bad-input', 'OBJECT_STORE_BUCKET', 'the server does not take such a bucket name: correct S3_BUCKET'],
  NotImplemented: ['bad-input', 'OBJECT_UNSUPPORTED', 'the server cannot do that'],
};

/** By the system's code, of connections that did not come about or broke. */
const BY_ERRNO: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there: start the server, or correct S3_ENDPOINT',
  ENOTFOUND: 'the name is not known to DNS: correct S3_ENDPOINT or the resolver (with virtual-host style, the bucket’s name must resolve too; else set S3_PATH_STYLE=true)',
  EAI_AGAIN: 'DNS does not answer: look at the resolver and the network',
  ETIMEDOUT: 'the server does not answer: look at the network and at firewalls',
  EHOSTUNREACH: 'no route to the server: look at the network',
  ENETUNREACH: 'no route to the server: look at the network',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself: name it in S3_CA_FILE',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority of its own: name that in S3_CA_FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority: name that in S3_CA_FILE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority: name that in S3_CA_FILE',
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it, and look at this host’s clock',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: look at this host’s clock',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: correct S3_ENDPOINT, or the certificate',
  EPROTO: 'it does not speak TLS there: http:// instead of https:// in S3_ENDPOINT?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there: http:// instead of https:// in S3_ENDPOINT?',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP there: https:// instead of http:// in S3_ENDPOINT?',
};

/**
 * Any failure of a request, as an error of ours that says where, what and what to do.
 *
 * @param where the bucket and its server
 * @param what what was to be done, `object a/b`
 * @param now Unix ms, for the clocks' difference
 */
export function s3Error(error: unknown, where: string, what: string, now: number): BerthwatchError {
  if (error instanceof BerthwatchError) return error;
  const make = ([kind, code, words]: Mapped, more = ''): BerthwatchError => new BerthwatchError(kind, code, `${what} (${where}): ${words}${more}`, { cause: error });
  if (error instanceof S3Failure) {
    const said = ` (${error.status} ${error.code}${error.message === '' ? '' : `: ${error.message.slice(0, 200)}`})`;
    if (/lock|worm/i.test(error.message) && (error.code === 'AccessDenied' || error.code === 'InvalidRequest')) return make(BY_CODE.ObjectLocked as Mapped, said);
    const mapped = BY_CODE[error.code];
    if (mapped?.[1] === 'OBJECT_STORE_CLOCK' && error.serverTime !== null) return make(mapped, `; ours is ${describeSkew(now - error.serverTime)}${said}`);
    if (mapped?.[1] === 'OBJECT_STORE_REGION' && error.region !== null) return make(mapped, `, it says ${error.region}${said}`);
    if (mapped) return make(mapped, said);
    if (error.status >= 500 || error.status === 429 || error.status === 408) return make(AWAY('the server cannot answer now'), said);
    if (error.status === 401 || error.status === 403) return make(CREDENTIALS, said);
    return make(['internal', 'OBJECT_STORE_ANSWER', 'the server refuses the request'], said);
  }
  const errno = String((error as NodeJS.ErrnoException | null)?.code ?? '');
  if (error instanceof S3Timeout) return make(AWAY(`the server does not answer: ${error.message}`));
  const known = BY_ERRNO[errno];
  return make(AWAY(known ?? 'the connection failed'), ` (${errno === '' ? messageOf(error) : errno})`);
}

const describeSkew = (ms: number): string => `${Math.round(Math.abs(ms) / 1000)} s ${ms >= 0 ? 'ahead' : 'behind'}`;

/** Whether the same request may succeed if it is sent again. */
export function mayRetry(error: BerthwatchError): boolean {
  return error.kind === 'unavailable' && !['OBJECT_STORE_BUCKET', 'OBJECT_STORE_CLOCK', 'OBJECT_STORE_FULL'].includes(error.code);
}
