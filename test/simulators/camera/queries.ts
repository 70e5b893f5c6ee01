import type { EventLog } from '../common/event-log.js';
import type { CameraConfig } from './config.js';
import { catalogResponse, deviceInfoResponse, deviceStatusResponse, recordInfoResponse, resultResponse, type CatalogItem, type ManscdpCommand } from './manscdp.js';
import { messageToPlatform } from './platform-message.js';
import type { UserAgent } from './sip/user-agent.js';

/** Answers the platform's MANSCDP queries by MESSAGEs of our own, after the 200 that the caller has sent. */
export class QueryAnswers {
  constructor(
    private readonly config: CameraConfig,
    private readonly domain: string,
    private readonly agent: UserAgent,
    private readonly log: EventLog,
  ) {}

  async answer(command: ManscdpCommand): Promise<void> {
    const { device, channels } = this.config;
    this.log.emit('query', { cmdType: command.cmdType, sn: command.sn });
    switch (command.cmdType.toLowerCase()) {
      case 'catalog':
        await this.sendCatalog(command.sn);
        break;
      case 'deviceinfo':
        await this.message(deviceInfoResponse(command.sn, { ...device, channels: channels.length }));
        break;
      case 'devicestatus':
        await this.message(deviceStatusResponse(command.sn, device.id, Date.now()));
        break;
      case 'recordinfo':
        await this.message(recordInfoResponse(command.sn, command.deviceId, device.name));
        break;
      case 'devicecontrol':
        // Annex A.2.3: only some controls are answered; the rest is done and said nothing about.
        if (/<(RecordCmd|GuardCmd|AlarmCmd|HomePosition)\b/i.test(command.text)) await this.message(resultResponse('DeviceControl', command.sn, command.deviceId, 'OK'));
        break;
      case 'configdownload':
      case 'deviceconfig':
        await this.message(resultResponse(command.cmdType, command.sn, command.deviceId, 'ERROR'));
        break;
      default:
        this.log.emit('query-not-supported', { cmdType: command.cmdType });
    }
  }

  private catalogItems(): CatalogItem[] {
    const { device, channels, catalog, misbehaviour } = this.config;
    const item = (id: string, name: string, longitude: number | null, latitude: number | null): CatalogItem => ({
      id,
      name,
      manufacturer: device.manufacturer,
      model: device.model,
      civilCode: device.id.slice(0, 6),
      address: '香港中路',
      parentId: device.id,
      online: true,
      longitude,
      latitude,
    });
    const items = channels.map((channel) => item(channel.id, channel.name, channel.longitude, channel.latitude));
    for (let i = 0; i < catalog.extraChannels; i += 1) {
      items.push(item(`${device.id.slice(0, 10)}131${device.id[13]}${String(900_000 - i).padStart(6, '0')}`, `备用通道${i + 1}`, null, null));
    }
    return misbehaviour.duplicateCatalogItems ? items.flatMap((entry) => [entry, entry]) : items;
  }

  /** Next part only after the 200 of the previous one: a burst would be lost over UDP. */
  private async sendCatalog(sn: string): Promise<void> {
    const { device, catalog, misbehaviour, channels } = this.config;
    const total = channels.length + catalog.extraChannels;
    const items = this.catalogItems();
    const sent = items.slice(0, items.length - misbehaviour.missingCatalogItems);
    let parts = 0;
    for (let at = 0; at < sent.length; at += catalog.itemsPerMessage) {
      await this.message(catalogResponse(sn, device.id, total, sent.slice(at, at + catalog.itemsPerMessage)));
      parts += 1;
    }
    this.log.emit('catalog-sent', { items: sent.length, parts });
  }

  private async message(body: Buffer): Promise<void> {
    await this.agent.request(messageToPlatform(this.config, this.domain, body));
  }
}
