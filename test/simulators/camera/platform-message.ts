import type { CameraConfig } from './config.js';
import { disfigure } from './xml-quirks.js';
import { token, type RequestDraft } from './sip/user-agent.js';

/** A MESSAGE with a MANSCDP body from this device to its platform, outside any dialog. */
export function messageToPlatform({ device, server, channels, misbehaviour }: CameraConfig, domain: string, body: Buffer, options: { callId?: string; fromUser?: string } = {}): RequestDraft {
  const fromUser = options.fromUser ?? (misbehaviour.messagesFromChannel ? channels[0]?.id : undefined) ?? device.id;
  return {
    method: 'MESSAGE',
    uri: `sip:${server.id}@${domain}`,
    from: `<sip:${fromUser}@${domain}>;tag=${token()}`,
    to: `<sip:${server.id}@${domain}>`,
    callId: options.callId ?? token(),
    cseq: 20,
    headers: [{ name: 'Content-Type', value: 'Application/MANSCDP+xml' }],
    body: disfigure(body, device.version === '3.0' ? 'GB18030' : 'GB2312', misbehaviour),
  };
}
