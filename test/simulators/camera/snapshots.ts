import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog } from '../common/event-log.js';
import { chinaDateTime } from '../common/local-time.js';
import type { CameraConfig } from './config.js';
import { element, elementText, encodeManscdp } from './manscdp.js';

/** What SnapShotConfig asks for (GB/T 28181-2022 9.14 and A.2.3.2). */
export interface SnapshotOrder {
  channelId: string;
  count: number;
  intervalS: number;
  url: string;
  sessionId: string;
}

/** Null where the standard would not have it. */
export function readSnapshotOrder(text: string, channelId: string): SnapshotOrder | null {
  const count = Number(elementText(text, 'SnapNum') ?? NaN);
  const intervalS = Number(elementText(text, 'Interval') ?? NaN);
  const url = (elementText(text, 'UploadURL') ?? '').replace(/&amp;/g, '&');
  const sessionId = elementText(text, 'SessionID') ?? '';
  const right = Number.isInteger(count) && count >= 1 && count <= 10 && Number.isInteger(intervalS) && intervalS >= 1 && URL.canParse(url) && /^[A-Za-z0-9-]{32,128}$/.test(sessionId);
  return right ? { channelId, count, intervalS, url, sessionId } : null;
}

/** Takes pictures, uploads each by HTTP, and says that it has. */
export class SnapshotCamera {
  private number = 0;

  constructor(
    private readonly config: CameraConfig,
    private readonly log: EventLog,
    private readonly tell: (body: Buffer) => Promise<void>,
  ) {}

  async carryOut(order: SnapshotOrder): Promise<void> {
    const { misbehaviour, device, snapshotFile } = this.config;
    const files: string[] = [];
    for (let i = 0; i < order.count; i += 1) {
      if (i > 0) await pause(order.intervalS * 1000);
      const stamp = `${chinaDateTime(Date.now()).replace(/\D/g, '')}${String(Date.now() % 1000).padStart(3, '0')}`;
      this.number = (this.number % 99) + 1;
      const name = `${order.channelId}02${stamp}${String(this.number).padStart(2, '0')}`;
      files.push(name);
      if (misbehaviour.snapshot === 'never-uploads' || snapshotFile === null) continue;
      const picture = misbehaviour.snapshot === 'garbage' ? Buffer.from('<html>no picture</html>'.repeat(10)) : readFileSync(snapshotFile);
      await this.upload(order.url, name, picture);
    }
    if (misbehaviour.snapshot === 'never-uploads') return;
    const list = `<SnapShotList>\r\n${files.map((file) => element('SnapShotFileID', file)).join('')}</SnapShotList>\r\n`;
    await this.tell(encodeManscdp('Notify', element('CmdType', 'UploadSnapShotFinished') + element('SN', this.number) + element('DeviceID', order.channelId) + element('SessionID', order.sessionId) + list, device.version));
  }

  private async upload(url: string, name: string, picture: Buffer): Promise<void> {
    try {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(picture)], { type: 'image/jpeg' }), `${name}.jpg`);
      const raw = { method: 'POST', body: new Uint8Array(picture), headers: { 'content-type': 'image/jpeg', 'content-disposition': `attachment; filename="${name}.jpg"` } };
      const response = await fetch(url, this.config.misbehaviour.snapshot === 'form' ? { method: 'POST', body: form } : raw);
      this.log.emit('snapshot-uploaded', { name, status: response.status });
      await response.arrayBuffer();
    } catch (error) {
      this.log.emit('snapshot-upload-failed', { name, reason: (error as Error).message });
    }
  }
}
