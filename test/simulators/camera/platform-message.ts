import type { CameraConfig } from './config.js';
import { token, type RequestDraft } from './sip/user-agent.js';

/** A MESSAGE with a MANSCDP body from this device to its platform, outside any dialog. */
export function messageToPlatform({ device, server }: CameraConfig, domain: string, body: Buffer, options: { callId?: string; fromUser?: string } = {}): RequestDraft {
  return {
    method: 'MESSAGE',
    uri: `sip:${server.id}@${domain}`,
    from: `<sip:${options.fromUser ?? device.id}@${domain}>;tag=${token()}`,
    to: `<sip:${server.id}@${domain}>`,
    callId: options.callId ?? token(),
    cseq: 20,
    headers: [{ name: 'Content-Type', value: 'Application/MANSCDP+xml' }],
    body,
  };
}
