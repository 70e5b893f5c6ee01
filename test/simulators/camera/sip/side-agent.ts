import { UdpTransport, type Endpoint } from './transport.js';
import { UserAgent, type UserAgentOptions } from './user-agent.js';

/** A second socket of the same device, for what it sends beside its main one. Takes no requests. */
export class SideAgent {
  readonly agent: UserAgent;
  private readonly transport: UdpTransport;

  constructor(server: Endpoint, options: UserAgentOptions) {
    this.transport = new UdpTransport(server, 0, { onMessage: (message, from) => this.agent.receive(message, from), onDown: () => {} });
    this.agent = new UserAgent(() => this.transport, options, { onRequest: () => {}, onAck: () => {} });
  }

  open(): Promise<void> {
    return this.transport.open();
  }

  close(): Promise<void> {
    this.agent.failAll('closed');
    return this.transport.close();
  }
}
