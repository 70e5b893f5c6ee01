import type { EventLog } from '../common/event-log.js';
import type { CameraConfig } from './config.js';
import type { ControlState } from './control-state.js';
import type { DeviceSettings } from './device-settings.js';
import {
  catalogResponse, deviceInfoResponse, deviceStatusResponse, element, elementBody, elementText, encodeManscdp, resultResponse, type CatalogItem, type ManscdpCommand,
} from './manscdp.js';
import { messageToPlatform } from './platform-message.js';
import { recordMessages } from './records.js';
import type { UserAgent } from './sip/user-agent.js';
import { readSnapshotOrder, SnapshotCamera } from './snapshots.js';

/** Answers the platform's MANSCDP queries and commands by MESSAGEs of our own, after the 200 that the caller has sent. */
export class QueryAnswers {
  private readonly snapshots: SnapshotCamera;

  constructor(
    private readonly config: CameraConfig,
    private readonly domain: string,
    private readonly agent: UserAgent,
    private readonly log: EventLog,
    private readonly control: ControlState,
    private readonly settings: DeviceSettings,
    private readonly registerAnew: () => void,
  ) {
    this.snapshots = new SnapshotCamera(config, log, (body) => this.message(body));
  }

  async answer(command: ManscdpCommand): Promise<void> {
    const { device, channels } = this.config;
    const { sn, deviceId, text } = command;
    this.log.emit('query', { root: command.root, cmdType: command.cmdType, sn, deviceId });
    const channel = this.control.of(deviceId);
    switch (command.cmdType.toLowerCase()) {
      case 'catalog':
        await this.sendCatalog(sn);
        break;
      case 'deviceinfo':
        await this.message(deviceInfoResponse(sn, { ...device, name: this.settings.name, channels: channels.length }, device.version));
        break;
      case 'devicestatus':
        if (!channel) await this.result(command, 'ERROR');
        else await this.message(deviceStatusResponse(sn, deviceId, Date.now() + this.config.misbehaviour.deviceClockOffsetMs, { recording: channel.recording, guarded: this.control.guarded, alarming: this.control.alarming }, device.version));
        break;
      case 'recordinfo': {
        const messages = recordMessages(this.config, sn, deviceId, text);
        if (!messages) await this.result(command, 'ERROR');
        for (const body of messages ?? []) await this.message(body);
        break;
      }
      case 'presetquery':
        await this.sendPresets(command);
        break;
      case 'mobileposition':
        await this.sendPosition(command);
        break;
      case 'devicecontrol': {
        const outcome = this.control.apply(command);
        // Annex A.2.3: only some controls are answered; the rest is done and said nothing about.
        if (outcome !== null && !this.config.misbehaviour.noControlResponse) await this.result(command, outcome);
        break;
      }
      case 'configdownload':
        await this.sendConfig(command);
        break;
      case 'deviceconfig':
        await this.configure(command);
        break;
      default:
        this.log.emit('query-not-supported', { cmdType: command.cmdType });
    }
  }

  private result(command: ManscdpCommand, result: 'OK' | 'ERROR', more = ''): Promise<void> {
    return this.message(resultResponse(command.cmdType, command.sn, command.deviceId, result, more, this.config.device.version));
  }

  /** 2016 sends the list whole, 2022 tells its length by SumNum. */
  private async sendPresets({ sn, deviceId }: ManscdpCommand): Promise<void> {
    const { version } = this.config.device;
    const presets = [...this.control.presets].sort(([a], [b]) => a - b);
    const items = presets.map(([number, name]) => `<Item>\r\n${element('PresetID', number)}${element('PresetName', name)}</Item>\r\n`).join('');
    const total = version === '3.0' ? element('SumNum', presets.length) : '';
    await this.message(encodeManscdp('Response', `${element('CmdType', 'PresetQuery')}${element('SN', sn)}${element('DeviceID', deviceId)}${total}<PresetList Num="${presets.length}">\r\n${items}</PresetList>\r\n`, version));
  }

  private async sendPosition({ sn, deviceId }: ManscdpCommand): Promise<void> {
    const channel = this.config.channels[0];
    await this.message(
      encodeManscdp('Notify', element('CmdType', 'MobilePosition') + element('SN', sn) + element('DeviceID', deviceId) + element('Longitude', channel?.longitude ?? 120.38) + element('Latitude', channel?.latitude ?? 36.07), this.config.device.version),
    );
  }

  private async sendConfig(command: ManscdpCommand): Promise<void> {
    const types = (elementText(command.text, 'ConfigType') ?? '').split('/');
    const parts = this.settings.parts(types);
    if (!parts) return this.result(command, 'ERROR');
    const messages = this.config.misbehaviour.oneConfigPerMessage ? parts : [parts.join('')];
    for (const part of messages) await this.result(command, 'OK', part);
  }

  private async configure(command: ManscdpCommand): Promise<void> {
    const { device, misbehaviour } = this.config;
    if (elementBody(command.text, 'SnapShotConfig') !== null) {
      const order = device.version === '3.0' && misbehaviour.snapshot !== 'refuses' ? readSnapshotOrder(command.text, command.deviceId) : null;
      await this.result(command, order ? 'OK' : 'ERROR');
      if (order) await this.snapshots.carryOut(order);
      return;
    }
    const done = this.settings.apply(command.text);
    if (done) this.log.emit('configured', { name: this.settings.name, heartBeatIntervalS: this.settings.heartBeatIntervalS, heartBeatCount: this.settings.heartBeatCount, expirationS: this.settings.expirationS });
    if (done && misbehaviour.registersAfterConfig) this.registerAnew();
    else if (!misbehaviour.noControlResponse) await this.result(command, done ? 'OK' : 'ERROR');
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
    const total = channels.length + catalog.extraChannels + misbehaviour.sumNumOffset;
    const perMessage = misbehaviour.oneCatalogItemPerMessage ? 1 : catalog.itemsPerMessage;
    const items = this.catalogItems();
    const sent = items.slice(0, items.length - misbehaviour.missingCatalogItems);
    let parts = 0;
    for (let at = 0; at < sent.length; at += perMessage) {
      await this.message(catalogResponse(sn, device.id, total, sent.slice(at, at + perMessage), device.version));
      parts += 1;
    }
    this.log.emit('catalog-sent', { items: sent.length, parts });
  }

  private async message(body: Buffer): Promise<void> {
    await this.agent.request(messageToPlatform(this.config, this.domain, body));
  }
}
