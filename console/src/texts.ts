import { CAMERA_TEXTS } from './texts-cameras.js';
import { FOOTAGE_TEXTS } from './texts-footage.js';
import { STORAGE_TEXTS } from './texts-storage.js';

/** Texts of the console, Chinese first. Every key has both languages: the type makes a missing one an error. */
export type Language = 'zh' | 'en';

const TEXTS = {
  ...CAMERA_TEXTS,
  ...FOOTAGE_TEXTS,
  ...STORAGE_TEXTS,
  title: ['泊位值守', 'berthwatch'],
  navigation: ['页面', 'Pages'],
  overview: ['总览', 'Overview'],
  noSuchPage: ['没有这个页面', 'There is no such page'],
  token: ['访问令牌', 'Token'],
  tokenNeeded: ['需要访问令牌', 'A token is needed'],
  tokenWhere: ['请输入配置文件 http.token 中的令牌，只在本标签页内保留。', 'Enter the token of http.token in the configuration; it is kept for this tab only.'],
  confirm: ['确定', 'OK'],
  cancel: ['取消', 'Cancel'],
  cameras: ['相机', 'Cameras'],
  visits: ['停车业务', 'Visits'],
  events: ['实时事件', 'Live events'],
  problems: ['当前问题', 'Problems'],
  noProblems: ['系统运行正常', 'Everything works'],
  noCameras: ['尚未导入站点：运行 berthwatch site import 站点.yaml', 'No site yet: run berthwatch site import site.yaml'],
  noVisits: ['还没有停车业务', 'No visits yet'],
  noEvents: ['暂无事件', 'Nothing yet'],
  berth: ['泊位', 'Berth'],
  plate: ['号牌', 'Plate'],
  vehicle: ['车辆', 'Vehicle'],
  entered: ['入场', 'Entered'],
  left: ['离场', 'Left'],
  stay: ['停车时长', 'Stay'],
  fee: ['费用', 'Fee'],
  pictures: ['图片', 'Pictures'],
  delivery: ['上传', 'Delivery'],
  parked: ['在场', 'parked'],
  presentAtStart: ['首次观测时已在场', 'there when first seen'],
  uid: ['流水号', 'uid'],
  confidence: ['置信度', 'Confidence'],
  corrections: ['修正次数', 'Corrections'],
  close: ['关闭', 'Close'],
  waitingForPicture: ['等待第一幅画面', 'waiting for the first picture'],
  lost: ['丢包', 'lost'],
  strangers: ['陌生来源包', 'stranger packets'],
  analysedTo: ['分析至', 'analysed to'],
  connectionLost: ['与服务的连接中断，正在重连', 'Connection to the service lost, reconnecting'],
  total: ['共', 'total'],
  pending: ['待上传', 'pending'],
  delivered: ['已上传', 'delivered'],
  'plate.none': ['无车牌', 'no plate'],
  'plate.unread': ['未识别', 'not read'],
  'berth.free': ['空闲', 'free'],
  'berth.occupied': ['占用', 'occupied'],
  'berth.changing': ['变化中', 'changing'],
  'berth.unknown': ['未知', 'unknown'],
  'stream.none': ['离线', 'offline'],
  'stream.waiting': ['等待', 'waiting'],
  'stream.inviting': ['邀请中', 'inviting'],
  'stream.streaming': ['在线', 'streaming'],
  'type.small': ['小型车', 'small'],
  'type.medium': ['中型车', 'medium'],
  'type.large': ['大型车', 'large'],
  'role.approaching': ['驶入', 'approaching'],
  'role.parked': ['已入位', 'parked'],
  'role.leaving': ['驶离', 'leaving'],
  'role.vacated': ['泊位空闲', 'vacated'],
  'role.plate': ['车牌特写', 'plate'],
  'kind.enter': ['入场记录', 'enter'],
  'kind.leave': ['离场记录', 'leave'],
  'kind.correction': ['修改记录', 'correction'],
  'kind.photo': ['图片', 'photo'],
  'state.pending': ['待传', 'pending'],
  'state.delivered': ['已传', 'delivered'],
  'feed.device-online': ['设备上线', 'device online'],
  'feed.device-offline': ['设备离线', 'device offline'],
  'feed.stream-up': ['视频流建立', 'stream up'],
  'feed.stream-down': ['视频流中断', 'stream down'],
  'feed.berth-state': ['泊位状态', 'berth'],
  'feed.visit-opened': ['车辆入场', 'visit opened'],
  'feed.visit-corrected': ['号牌修正', 'visit corrected'],
  'feed.visit-closed': ['车辆离场', 'visit closed'],
  'feed.evidence-made': ['证据生成', 'evidence made'],
  'feed.record-delivered': ['记录已上传', 'record delivered'],
  'feed.record-refused': ['平台拒收', 'record refused'],
  'feed.platform-unreachable': ['平台不可达', 'platform unreachable'],
  'feed.problem': ['出现问题', 'problem'],
  'feed.problem-solved': ['问题解除', 'problem solved'],
} satisfies Record<string, readonly [string, string]>;

const COLOURS: Record<string, readonly [string, string]> = {
  white: ['白', 'white'],
  grey: ['灰', 'grey'],
  yellow: ['黄', 'yellow'],
  pink: ['粉', 'pink'],
  purple: ['紫', 'purple'],
  green: ['绿', 'green'],
  blue: ['蓝', 'blue'],
  red: ['红', 'red'],
  brown: ['棕', 'brown'],
  black: ['黑', 'black'],
  other: ['其他', 'other'],
};

export type TextKey = keyof typeof TEXTS;

/** The text of a key known at compile time. */
export function text(language: Language, key: TextKey): string {
  return TEXTS[key][language === 'zh' ? 0 : 1];
}

/** The text of a key built from data (`state.${…}`); the last part itself where the service knows a word that the console does not. */
export function wordFor(language: Language, key: string): string {
  return key in TEXTS ? text(language, key as TextKey) : key.slice(key.indexOf('.') + 1);
}

export function colourName(language: Language, colour: string): string {
  return COLOURS[colour]?.[language === 'zh' ? 0 : 1] ?? colour;
}
