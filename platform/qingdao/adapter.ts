import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { DeliveryOutcome, Platform, PlatformMessage } from '../message.js';
import { encryptBlocks, signSha1WithRsa } from '../wire/rsa-blocks.js';
import { ANSWER_LIMIT_BYTES, readAnswer } from './answer.js';
import { toCall } from './records.js';

export interface QingdaoOptions {
  id: string;
  /** Up to and without `/api/v2/cp/…`. */
  baseUrl: string;
  /** 接入系统编号. */
  accessId: string;
  platformPublicKey: KeyObject;
  userPrivateKey: KeyObject;
  /** How long one call may take, milliseconds. */
  timeoutMs: number;
  clock: Clock;
}

/** A.4.1.4.4: "大小不超过 512K", of the picture itself. */
const PHOTO_LIMIT_BYTES = 512 * 1024;

/**
 * Qingdao city platform V2.1 (T/QME 0013-2024 Appendix A), upward direction.
 *
 * A form of `accessID`, `cipher` and `sign` is posted: `cipher` is the base64 of the JSON parameters encrypted in blocks with the
 * platform's public key, `sign` the base64 SHA1WithRSA signature by the user's private key over the `cipher` text. The seed
 * does not say how binary values become form values, nor whether the signature covers the text or the bytes behind it;
 * base64 and the text ("字符编码统一为：UTF-8") are this adapter's reading. A picture travels as a further key `file`
 * outside cipher and signature (A.4.1.4.4).
 */
export class QingdaoPlatform implements Platform {
  readonly id: string;
  readonly accepts: ReadonlySet<PlatformMessage['kind']> = new Set(['enter', 'correction', 'leave', 'photo', 'heartbeat'] as const);
  readonly #options: QingdaoOptions;

  constructor(options: QingdaoOptions) {
    this.id = options.id;
    this.#options = options;
  }

  async deliver(message: PlatformMessage, context: Parameters<Platform['deliver']>[1]): Promise<DeliveryOutcome> {
    const { clock, accessId, platformPublicKey, userPrivateKey } = this.#options;
    const call = toCall(message, { now: clock.now(), retransmission: context.retransmission });
    const cipher = encryptBlocks(Buffer.from(JSON.stringify(call.fields), 'utf8'), platformPublicKey).toString('base64');
    const sign = signSha1WithRsa(Buffer.from(cipher, 'utf8'), userPrivateKey).toString('base64');
    const form = new URLSearchParams({ accessID: accessId, cipher, sign });
    if (message.kind === 'photo') {
      let jpeg: Uint8Array;
      try {
        jpeg = await context.readObject(message.objectKey);
      } catch (error) {
        return { outcome: 'unreachable', reason: `picture ${message.objectKey} cannot be read from the object store: ${messageOf(error)}` };
      }
      if (jpeg.length > PHOTO_LIMIT_BYTES) return { outcome: 'refused', code: 'LOCAL', reason: `picture ${message.name} has ${jpeg.length} bytes, the platform takes ${PHOTO_LIMIT_BYTES}` };
      form.set('file', Buffer.from(jpeg).toString('base64'));
    }
    return this.#post(call.endpoint, form, context.signal);
  }

  async #post(endpoint: string, form: URLSearchParams, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { baseUrl, clock, timeoutMs } = this.#options;
    const url = `${baseUrl.replace(/\/+$/, '')}/api/v2/cp/${endpoint}`;
    // Not AbortSignal.any with AbortSignal.timeout: nothing holds that timeout, and once it is collected a platform that hangs
    // is waited for without end (Node 20).
    const abort = new AbortController();
    const onAbort = (): void => abort.abort(signal.reason);
    const cancelTimeout = clock.after(timeoutMs, () => abort.abort(new Error(`no answer in ${timeoutMs / 1000} s`)));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
        body: form.toString(),
        redirect: 'error',
        signal: abort.signal,
      });
      return readAnswer(response.status, await readLimited(response));
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      return { outcome: 'unreachable', reason: `POST ${url}: ${messageOf(error)}${cause}` };
    } finally {
      cancelTimeout();
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** The body as text, cut at the limit so that a broken platform cannot fill our memory. */
async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
    if (bytes > ANSWER_LIMIT_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
