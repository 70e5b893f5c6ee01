import type { BerthChange, CameraChange, FieldChange, LotChange, SiteDiff } from './diff.js';

/** Beyond this many lines a terminal is no place to read it. */
const MOST_LINES = 400;

const SIGN = { added: '+', changed: '~', removed: '-' } as const;

function fieldText(field: FieldChange, language: 'zh' | 'en'): string {
  const empty = language === 'zh' ? '（空）' : '(empty)';
  return `${field[language]}: ${field.from || empty} → ${field.to || empty}`;
}

function berthLine(berth: BerthChange, language: 'zh' | 'en'): string {
  return `    ${SIGN[berth.change]} ${language === 'zh' ? '泊位' : 'berth'} ${berth.number} (${berth.id})${berth.fields.map((field) => `; ${fieldText(field, language)}`).join('')}`;
}

const count = (changes: readonly { change: string }[], change: string): number => changes.filter((c) => c.change === change).length;

/** An import's changes in a line: "2 cameras added, 1 changed, …". */
export function diffSummary(diff: SiteDiff, language: 'zh' | 'en'): string {
  const berths = diff.cameras.flatMap((camera) => camera.berths);
  const numbers = (changes: readonly { change: string }[]): string =>
    language === 'zh' ? `新增 ${count(changes, 'added')}、修改 ${count(changes, 'changed')}、移除 ${count(changes, 'removed')}` : `${count(changes, 'added')} added, ${count(changes, 'changed')} changed, ${count(changes, 'removed')} removed`;
  return language === 'zh' ? `相机：${numbers(diff.cameras)}，不变 ${diff.unchangedCameras}；泊位：${numbers(berths)}；停车场：${numbers(diff.lots)}` : `cameras: ${numbers(diff.cameras)}, ${diff.unchangedCameras} as before; berths: ${numbers(berths)}; lots: ${numbers(diff.lots)}`;
}

/** What an import would change, for a terminal. */
export function describeDiff(diff: SiteDiff, language: 'zh' | 'en'): string {
  const head = (item: CameraChange | LotChange, kind: string, id: string): string[] => [`${SIGN[item.change]} ${kind} ${id} ${item.name}`, ...item.fields.map((field) => `    ${fieldText(field, language)}`)];
  const lines = [
    ...diff.lots.flatMap((lot) => head(lot, language === 'zh' ? '停车场' : 'lot', lot.code)),
    ...diff.cameras.flatMap((camera) => [...head(camera, language === 'zh' ? '相机' : 'camera', camera.id), ...camera.berths.map((berth) => berthLine(berth, language))]),
  ];
  const shown = lines.slice(0, MOST_LINES);
  if (lines.length > shown.length) shown.push(language === 'zh' ? `……还有 ${lines.length - shown.length} 行` : `… and ${lines.length - shown.length} more lines`);
  return [...shown, diffSummary(diff, language)].join('\n');
}
