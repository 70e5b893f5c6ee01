import { newCallId, newTag } from '../sip/build.js';
import type { Flow } from '../sip/flow.js';
import { uriHost } from '../sip/header-values.js';
import { NO_BODY, SipHeaders, type SipRequest } from '../sip/message.js';
import type { Device } from './device.js';

export interface FactoryOptions {
  serverId: string;
  domain: string;
  /** The host and the port that a peer on this flow knows us by. */
  hostOf: (flow: Flow) => string;
  portOf: (flow: Flow) => number;
}

/** Requests of ours to devices, outside dialogs (GB/T 28181-2016 annex J), without Via. */
export class RequestFactory {
  readonly #options: FactoryOptions;

  constructor(options: FactoryOptions) {
    this.#options = options;
  }

  /** The Request-URI names the target at the address that the device proved, never its Contact. */
  uri(id: string, flow: Flow): string {
    return `sip:${id}@${uriHost(flow.remote.host)}:${flow.remote.port}`;
  }

  contact(flow: Flow): string {
    const { serverId, hostOf, portOf } = this.#options;
    return `<sip:${serverId}@${uriHost(hostOf(flow))}:${portOf(flow)}>`;
  }

  /** @param target the device's or a channel's id */
  create(method: string, device: Device, target = device.id): SipRequest {
    const { serverId, domain, hostOf } = this.#options;
    const headers = SipHeaders.of([
      ['From', `<sip:${serverId}@${domain}>;tag=${newTag()}`],
      ['To', `<sip:${target}@${domain}>`],
      ['Call-ID', newCallId(uriHost(hostOf(device.flow)))],
      ['CSeq', `1 ${method}`],
      ['Max-Forwards', '70'],
    ]);
    return { kind: 'request', method, uri: this.uri(target, device.flow), headers, body: NO_BODY };
  }
}
