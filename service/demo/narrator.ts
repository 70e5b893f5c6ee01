import type { FeedItem } from '../live/feed.js';
import type { Scene } from './scene.js';

const COLOUR: Partial<Record<FeedItem['type'], string>> = {
  'visit-opened': '\x1b[32m',
  'visit-closed': '\x1b[36m',
  'visit-corrected': '\x1b[33m',
  'record-refused': '\x1b[31m',
  'platform-unreachable': '\x1b[31m',
  problem: '\x1b[31m',
};

/** Puts what happens into lines for the terminal, Chinese and English. */
export class Narrator {
  readonly #berths: Map<string, string>;
  readonly #write: (line: string) => void;
  readonly #colours: boolean;

  constructor(scenes: readonly Scene[], write: (line: string) => void, colours: boolean) {
    this.#berths = new Map(scenes.flatMap((scene) => scene.truth.berths.map((berth) => [berth.id, berth.number] as const)));
    this.#write = write;
    this.#colours = colours;
  }

  say(text: string, colour = ''): void {
    const time = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(11, 19);
    this.#write(this.#colours && colour !== '' ? `${time}  ${colour}${text}\x1b[0m` : `${time}  ${text}`);
  }

  tell(item: FeedItem): void {
    const text = this.#sentence(item.type, item.data);
    if (text !== null) this.say(text, COLOUR[item.type] ?? '');
  }

  #sentence(type: FeedItem['type'], d: FeedItem['data']): string | null {
    const berth = typeof d.berthId === 'string' ? (this.#berths.get(d.berthId) ?? d.berthId) : '';
    const short = typeof d.uid === 'string' ? `…${d.uid.slice(-11)}` : '';
    switch (type) {
      case 'device-online':
        return `设备上线 device online          ${d.deviceId} (${d.transport})`;
      case 'device-offline':
        return `设备离线 device offline         ${d.deviceId}: ${d.reason}`;
      case 'device-alarm':
        return `设备报警 device alarm           ${d.deviceId}: ${d.words}`;
      case 'stream-up':
        return `视频流建立 stream up            ${d.cameraId} ${d.codec} ${d.transport}`;
      case 'stream-down':
        return `视频流中断 stream down          ${d.cameraId}: ${d.reason}`;
      case 'berth-state':
        return `泊位状态 berth ${berth.padEnd(8)}         ${{ free: '空闲 free', occupied: '占用 occupied', changing: '变化中 changing' }[String(d.state)] ?? d.state}`;
      case 'visit-opened':
        return `车辆入场 visit opened           泊位 ${berth} ${d.plate} ${short}`;
      case 'visit-corrected':
        return `号牌修正 plate corrected        泊位 ${berth} ${d.plate} ${short}`;
      case 'visit-closed':
        return `车辆离场 visit closed           泊位 ${berth} ${d.plate} ${short}`;
      case 'evidence-made':
        return `证据生成 evidence made          泊位 ${berth} ${d.pictures} 张 pictures ${short}`;
      case 'record-delivered':
        return `记录上传 delivered              ${d.platform} ${d.kind} ${d.name ?? short}${Number(d.attempts) > 1 ? ` (第 ${d.attempts} 次 attempt)` : ''}`;
      case 'record-refused':
        return `平台拒收 refused                ${d.platform} ${d.kind} ${short}: ${d.reason}`;
      case 'platform-unreachable':
        return `平台不可达 unreachable          ${d.platform} ${d.kind} ${short}: ${d.reason}`;
      case 'problem':
        return `问题 problem                    ${d.part}: ${d.message}`;
      case 'problem-solved':
        return `问题解除 solved                 ${d.part}`;
    }
  }
}
