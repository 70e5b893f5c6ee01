import type { Words } from './problem.js';

/** What a cell of a column holds: `cells.ts` reads each. */
export type CellType = 'text' | 'number' | 'integer' | 'yes-no' | 'kind' | 'berth-kind' | 'transport' | 'rtsp-transport' | 'record' | 'analyse' | 'windows' | 'polygon' | 'direction' | 'yuan';

export interface Column {
  /** Path of its value: in a camera, a berth, or a lot. */
  path: readonly string[];
  of: 'camera' | 'berth' | 'lot';
  zh: string;
  en: string;
  /** Further headers that people use. */
  also?: readonly string[];
  type: CellType;
  /** A new camera, berth or lot cannot do without. */
  required?: boolean;
  /** Kept where the cell is empty, and never written into an export unless asked for. */
  secret?: boolean;
  /** What to write. */
  hint: Words;
  /** The two sample rows of the template; the second one of a camera column is left empty there. */
  sample: string;
  sample2?: string;
  /** Width in a workbook, in characters. */
  width?: number;
}

const column = (of: Column['of'], path: string, zh: string, en: string, type: CellType, sample: string, hint: Words, more: Partial<Column> = {}): Column => ({ of, path: path.split('.'), zh, en, type, sample, hint, ...more });
const camera = column.bind(null, 'camera');
const berth = column.bind(null, 'berth');
const lot = column.bind(null, 'lot');

/** Columns of a camera: on its first row, or repeated. */
export const CAMERA_COLUMNS: readonly Column[] = [
  camera('id', '相机编号', 'camera id', 'text', 'xianggang-middle-1', { zh: '字母、数字、“_”和“-”，最多 64 个；同一相机的后续行可留空', en: 'letters, digits, "_" and "-", at most 64; may be left empty on further rows of the same camera' }, { required: true, also: ['相机ID', '摄像机编号', 'camera'], width: 22 }),
  camera('name', '相机名称', 'camera name', 'text', '香港中路 1 号高位视频', { zh: '最多 64 个字', en: 'at most 64 characters' }, { required: true, also: ['摄像机名称'], width: 24 }),
  camera('deviceNumber', '设备编号', 'device number', 'text', 'QD-GW-0001', { zh: '印在证据图片上的设备编号，最多 64 个字', en: 'printed on evidence, at most 64 characters' }, { required: true, width: 14 }),
  camera('kind', '相机类型', 'camera kind', 'kind', '高位视频', { zh: '高位视频 或 低位视频桩', en: 'high-position or video-pile' }, { also: ['设备类型'] }),
  camera('enabled', '启用', 'enabled', 'yes-no', '是', { zh: '是 或 否', en: 'yes or no' }, { also: ['是否启用'] }),
  camera('lot', '停车场编号', 'lot code', 'text', '370202HZ001', { zh: '字母和数字，最多 30 个', en: 'letters and digits, at most 30' }, { required: true, also: ['停车场', 'lot', 'parking code'], width: 16 }),
  camera('roadSection', '路段', 'road section', 'text', '香港中路', { zh: '最多 64 个字', en: 'at most 64 characters' }, { required: true, also: ['停车路段', '路段名称'], width: 14 }),
  camera('direction', '拍摄方向', 'direction', 'text', '由东向西', { zh: '印在证据图片上，例如 由东向西', en: 'printed on evidence, for example 由东向西' }, { required: true, also: ['shooting direction'] }),
  camera('width', '画面宽', 'picture width', 'integer', '1920', { zh: '四角坐标所依据画面的宽，像素，160 至 8192', en: 'width in pixels of the picture that the corners refer to, 160 to 8192' }, { required: true, also: ['画面宽度'] }),
  camera('height', '画面高', 'picture height', 'integer', '1080', { zh: '四角坐标所依据画面的高，像素，120 至 8192', en: 'height in pixels of the picture that the corners refer to, 120 to 8192' }, { required: true, also: ['画面高度'] }),
  camera('gb28181.deviceId', '国标设备编号', 'GB device id', 'text', '37020200001320000001', { zh: '20 位数字；单元格须为文本格式', en: '20 digits; the cell must be formatted as text' }, { also: ['国标设备ID', '国标设备编码', 'device id'], width: 24 }),
  camera('gb28181.channelId', '国标通道编号', 'GB channel id', 'text', '37020200001320000001', { zh: '20 位数字；单元格须为文本格式', en: '20 digits; the cell must be formatted as text' }, { also: ['国标通道ID', '国标通道编码', 'channel id'], width: 24 }),
  camera('gb28181.password', '国标密码', 'GB password', 'text', '', { zh: '设备注册密码；留空：沿用已有密码或默认密码', en: 'password of the device; empty: the known one, or the default' }, { secret: true }),
  camera('gb28181.transport', '国标媒体传输', 'GB transport', 'transport', 'TCP被动', { zh: 'TCP被动、TCP主动（相机监听）或 UDP', en: 'tcp-passive, tcp-active (the camera listens) or udp' }, { also: ['媒体传输'] }),
  camera('rtsp.url', 'RTSP地址', 'RTSP address', 'text', '', { zh: '不用国标接入时填写，例如 rtsp://192.0.2.5:554/stream1，不含用户名和密码', en: 'instead of a GB channel, like rtsp://192.0.2.5:554/stream1, without user and password' }, { also: ['RTSP主码流地址'], width: 30 }),
  camera('rtsp.subUrl', 'RTSP子码流地址', 'RTSP sub address', 'text', '', { zh: '录制子码流时填写', en: 'where the sub stream is recorded' }, { width: 18 }),
  camera('rtsp.user', 'RTSP用户', 'RTSP user', 'text', '', { zh: '可留空', en: 'may be empty' }),
  camera('rtsp.password', 'RTSP密码', 'RTSP password', 'text', '', { zh: '留空：沿用已有密码', en: 'empty: the known one' }, { secret: true }),
  camera('rtsp.transport', 'RTSP传输', 'RTSP transport', 'rtsp-transport', '', { zh: 'TCP 或 UDP', en: 'tcp or udp' }),
  camera('streams.record', '录像码流', 'recorded streams', 'record', '主码流', { zh: '主码流、子码流 或 主子码流', en: 'main, sub or both' }),
  camera('streams.analyse', '分析码流', 'analysed stream', 'analyse', '主码流', { zh: '主码流 或 子码流，须为录像码流之一', en: 'main or sub; one that is recorded' }),
  camera('audio', '录音', 'sound', 'yes-no', '是', { zh: '是 或 否：相机送出声音（G.711 或 AAC）时是否录入', en: 'yes or no: whether sound is recorded where the camera sends it (G.711 or AAC)' }, { also: ['音频', 'audio'] }),
  camera('retention', '保存时长', 'retention', 'text', '', { zh: '例如 30d；留空：按配置', en: 'like 30d; empty: as configured' }, { also: ['录像保存'] }),
  camera('quota', '录像配额', 'quota', 'text', '', { zh: '例如 200G；留空：按配置', en: 'like 200G; empty: as configured' }),
  camera('analysis.windows', '分析时段', 'analysis windows', 'windows', '周一至周五 07:30-21:30；周六、周日 09:00-20:00', { zh: '例如 07:30-21:30，或 周一至周五 07:30-21:30；周六、周日 22:00-06:00；留空：全天分析', en: 'like 07:30-21:30, or Mon-Fri 07:30-21:30; Sat,Sun 22:00-06:00; empty: always' }, { width: 26 }),
  camera('mountingHeightM', '架设高度（米）', 'mounting height (m)', 'number', '6.5', { zh: '米：高位视频 2 至 30，低位视频桩 0.1 至 3', en: 'metres: 2 to 30 for a high-position camera, 0.1 to 3 for a video pile' }, { also: ['安装高度'] }),
  camera('location.longitude', '经度', 'longitude', 'number', '120.3826', { zh: '度，-180 至 180，例如 120.3826；与纬度一起填写', en: 'degrees, -180 to 180, together with the latitude' }),
  camera('location.latitude', '纬度', 'latitude', 'number', '36.0671', { zh: '度，-90 至 90，例如 36.0671；与经度一起填写', en: 'degrees, -90 to 90, together with the longitude' }),
  camera('manufacturer', '厂商', 'manufacturer', 'text', '', { zh: '最多 64 个字', en: 'at most 64 characters' }, { also: ['生产厂商', '品牌'] }),
  camera('model', '型号', 'model', 'text', '', { zh: '最多 64 个字', en: 'at most 64 characters' }, { also: ['设备型号'] }),
  camera('notes', '备注', 'notes', 'text', '', { zh: '最多 500 个字', en: 'at most 500 characters' }),
];

/** Columns of a berth: one row each. */
export const BERTH_COLUMNS: readonly Column[] = [
  berth('number', '泊位编号', 'berth number', 'text', '101', { zh: '路面上喷涂的编号，最多 16 个字', en: 'the number painted on the road, at most 16 characters' }, { required: true, sample2: '102', also: ['泊位号', 'berth'] }),
  berth('id', '泊位标识', 'berth id', 'text', 'hz-101', { zh: '字母、数字、“_”和“-”，最多 32 个；留空：停车场编号-泊位编号', en: 'letters, digits, "_" and "-", at most 32; empty: lot code-berth number' }, { sample2: 'hz-102', also: ['泊位ID'] }),
  berth('kind', '泊位形式', 'berth kind', 'berth-kind', '平行', { zh: '平行、垂直 或 斜列', en: 'parallel, perpendicular or angled' }, { required: true, sample2: '平行', also: ['泊位类型'] }),
  berth('polygon', '四角坐标', 'corners', 'polygon', '812,540 934,552 760,731 610,708', { zh: '四个角的像素坐标 x,y，以空格分隔，顺序为行车方向的左前、右前、右后、左后', en: 'pixels x,y of four corners, separated by spaces: front-left, front-right, rear-right, rear-left in the driving direction' }, { required: true, sample2: '610,708 760,731 520,990 345,955', also: ['polygon', '泊位四角'], width: 36 }),
  berth('lengthM', '泊位长（米）', 'length (m)', 'number', '6', { zh: '米，1 至 30', en: 'metres, 1 to 30' }, { required: true, sample2: '6', also: ['泊位长度'] }),
  berth('widthM', '泊位宽（米）', 'width (m)', 'number', '2.5', { zh: '米，1 至 10', en: 'metres, 1 to 10' }, { required: true, sample2: '2.5', also: ['泊位宽度'] }),
  berth('drivingDirection', '行车方向', 'driving direction', 'direction', '0.6,-0.8', { zh: '画面中旁边车道的行驶方向 x,y（向右为正，向下为正），例如 0.6,-0.8', en: 'direction x,y in the picture of the traffic beside it (right and down are positive), like 0.6,-0.8' }, { required: true, sample2: '0.6,-0.8' }),
  berth('timeLimitMinutes', '限时（分钟）', 'time limit (min)', 'integer', '120', { zh: '限时停车分钟数；留空：不限时', en: 'minutes; empty: none' }, { sample2: '120', also: ['限时停车'] }),
  berth('specialUse', '专用泊位', 'special use', 'text', '', { zh: '专用泊位的用途，例如 残疾人；留空：普通泊位', en: 'what it is reserved for; empty: anybody' }, { also: ['专用用途'] }),
];

/** Columns of a lot: on a sheet of lots, or beside its cameras. */
export const LOT_COLUMNS: readonly Column[] = [
  lot('name', '停车场名称', 'lot name', 'text', '香港中路路侧停车场', { zh: '最多 64 个字', en: 'at most 64 characters' }, { required: true, width: 24 }),
  lot('tariff.freeMinutes', '免费时长（分钟）', 'free minutes', 'integer', '15', { zh: '分钟', en: 'minutes' }, { also: ['免费分钟'] }),
  lot('tariff.unitMinutes', '计费单位（分钟）', 'unit minutes', 'integer', '30', { zh: '分钟，至少 1', en: 'minutes, at least 1' }, { also: ['计费单元'] }),
  lot('tariff.unitFen', '单位费用（元）', 'fee per unit (yuan)', 'yuan', '2', { zh: '元，最多两位小数；不收费的停车场写 免费；全部留空：沿用已有收费', en: 'yuan with at most two decimals; "free" for a lot that is free of charge; all empty: as it was' }, { also: ['单价'] }),
  lot('tariff.dayCapFen', '每日封顶（元）', 'day cap (yuan)', 'yuan', '30', { zh: '元；留空：不封顶', en: 'yuan; empty: none' }, { also: ['封顶'] }),
];

/** Polygon in eight columns instead of one. */
export const CORNER_HEADERS: readonly { zh: string; en: string }[] = ['左前', '右前', '右后', '左后'].flatMap((zh, i) => ['X', 'Y'].map((axis) => ({ zh: `${zh}${axis}`, en: `${['front-left', 'front-right', 'rear-right', 'rear-left'][i]} ${axis}` })));

export const ALL_COLUMNS: readonly Column[] = [...CAMERA_COLUMNS, ...BERTH_COLUMNS, ...LOT_COLUMNS];

/** A header without what people put around it: case, blanks, "*" for required, "(m)" and "（米）". */
export function plainHeader(text: string): string {
  return text
    .toLowerCase()
    .replace(/[(（][^)）]*[)）]/g, '')
    .replace(/[\s*＊:：_-]/g, '');
}

const BY_HEADER = new Map<string, Column>(ALL_COLUMNS.flatMap((c) => [c.zh, c.en, ...(c.also ?? [])].map((header) => [plainHeader(header), c] as const)));
const CORNERS = new Map<string, number>(CORNER_HEADERS.flatMap(({ zh, en }, i) => [[plainHeader(zh), i] as const, [plainHeader(en), i] as const]));

/** The column that a header names: one of ours, the n-th number of the corners, or none. */
export function columnOf(header: string): Column | { corner: number } | null {
  const plain = plainHeader(header);
  const corner = CORNERS.get(plain);
  return BY_HEADER.get(plain) ?? (corner === undefined ? null : { corner });
}

/** The column of a path of the site, `['gb28181', 'deviceId']` of a camera; a longer path finds the column that holds it. */
export function columnAt(of: Column['of'], path: readonly string[]): Column | null {
  const list = of === 'camera' ? CAMERA_COLUMNS : of === 'berth' ? BERTH_COLUMNS : LOT_COLUMNS;
  return list.find((c) => c.path.every((part, i) => path[i] === part)) ?? list.find((c) => path.length > 0 && path.every((part, i) => c.path[i] === part)) ?? null;
}
