import type { Column } from './columns.js';
import type { Words } from './problem.js';

/** What the site's schema says of values that are wrong together, in Chinese. The English is the schema's own. */
const KNOWN: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^the lot (\S+) is given twice$/, (m) => `停车场 ${m[1]} 重复定义，只保留一处`],
  [/^the camera (\S+) is given twice$/, (m) => `相机 ${m[1]} 重复，改用不同的相机编号`],
  [/^the GB channel (\S+) is given twice$/, (m) => `国标通道 ${m[1]} 已被另一台相机使用，核对国标设备编号和通道编号`],
  [/^the berth (\S+) is given twice$/, (m) => `泊位标识 ${m[1]} 重复，每个泊位须不同`],
  [/^the berth number (.+) is given twice$/, (m) => `泊位编号 ${m[1]}（停车场/编号）重复，同一停车场内须不同`],
  [/^there is no lot "(.*)"$/, (m) => `停车场 ${m[1]} 未定义：在“停车场”工作表中增加一行，或填写“停车场名称”列`],
  [/^lies outside the picture of (\S+)/, (m) => `超过三分之一位于 ${m[1]} 的画面之外，核对坐标或画面宽高`],
  [/^encloses less than 400 square pixels/, () => '围成的面积不足 400 平方像素，核对四个角的顺序：左前、右前、右后、左后'],
  [/by gb28181 or by rtsp, not by both$/, () => '国标与 RTSP 只能填写一种接入方式'],
  [/^must be given: streams\.record is/, () => '录制子码流时须填写 RTSP 子码流地址'],
  [/the analysed stream must be recorded/, () => '分析码流须为录像码流之一'],
  [/above the road, not (\S+) m/, (m) => `架设高度不可能是 ${m[1]} 米；高位视频 2 至 30 米，低位视频桩 0.1 至 3 米`],
  [/^must not hold user or password/, () => '地址中不能包含用户名和密码，请填写“RTSP用户”和“RTSP密码”列'],
  [/^must not be \[0, 0\]$/, () => '方向不能是 0,0'],
];

/** A schema's message for people: what is wrong, and what to write. */
export function issueWords(message: string, column: Column | null): Words {
  for (const [pattern, zh] of KNOWN) {
    const match = pattern.exec(message);
    if (match) return { zh: zh(match), en: message };
  }
  return column ? { zh: `内容无效，应填写：${column.hint.zh}`, en: `${message}; write ${column.hint.en}` } : { zh: message, en: message };
}
