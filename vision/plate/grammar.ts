import type { PlateColour } from '../observation.js';

/*
 * The plates of GA 36-2018 as character sets by position. Where practice and standard differ (embassy plates of the older
 * and the newer layout are both on the road), both are listed. Texts are without the separating dot.
 */

/** 省、自治区、直辖市简称. */
export const PROVINCES = '京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新';
const DIGITS = '0123456789';
/** I and O are not issued: they read as 1 and 0. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const SERIAL = DIGITS + LETTERS;
/** 新能源: battery electric D A B C E, other F G H J K. */
const ENERGY = 'DABCEFGHJK';

export type PlateKind =
  | 'small' // 小型汽车, blue
  | 'large' // 大型汽车, yellow, one or two rows
  | 'trailer' // 挂车
  | 'learner' // 教练汽车
  | 'small-new-energy'
  | 'large-new-energy'
  | 'police' // 警用汽车
  | 'military'
  | 'armed-police' // 武警 WJ
  | 'emergency' // 应急救援专用
  | 'embassy' // 使馆汽车
  | 'consulate' // 领馆汽车
  | 'hong-kong-macao' // 港澳入出境车
  | 'foreign'; // older black plates of foreign owners

export interface KindRule {
  kind: PlateKind;
  colours: readonly PlateColour[];
  /** Allowed characters at each position. */
  positions: readonly string[];
}

const repeat = (set: string, count: number): string[] => Array.from({ length: count }, () => set);

export const KIND_RULES: readonly KindRule[] = [
  { kind: 'small', colours: ['blue'], positions: [PROVINCES, LETTERS, ...repeat(SERIAL, 5)] },
  { kind: 'large', colours: ['yellow'], positions: [PROVINCES, LETTERS, ...repeat(SERIAL, 5)] },
  { kind: 'trailer', colours: ['yellow'], positions: [PROVINCES, LETTERS, ...repeat(SERIAL, 4), '挂'] },
  { kind: 'learner', colours: ['yellow'], positions: [PROVINCES, LETTERS, ...repeat(SERIAL, 4), '学'] },
  { kind: 'small-new-energy', colours: ['green'], positions: [PROVINCES, LETTERS, ENERGY, SERIAL, ...repeat(DIGITS, 4)] },
  { kind: 'large-new-energy', colours: ['yellow-green'], positions: [PROVINCES, LETTERS, ...repeat(DIGITS, 5), ENERGY] },
  { kind: 'police', colours: ['white'], positions: [PROVINCES, SERIAL, ...repeat(SERIAL, 4), '警'] },
  { kind: 'armed-police', colours: ['white'], positions: ['W', 'J', PROVINCES, ...repeat(DIGITS, 4), SERIAL] },
  { kind: 'armed-police', colours: ['white'], positions: ['W', 'J', ...repeat(DIGITS, 4), SERIAL] },
  // behind the armed police, whose WJ would pass for two letters of the army
  { kind: 'military', colours: ['white'], positions: [LETTERS, LETTERS, ...repeat(SERIAL, 5)] },
  { kind: 'emergency', colours: ['white'], positions: [PROVINCES, 'XS', ...repeat(SERIAL, 4), '应', '急'] },
  { kind: 'embassy', colours: ['black'], positions: ['使', ...repeat(DIGITS, 6)] },
  { kind: 'embassy', colours: ['black'], positions: [...repeat(DIGITS, 6), '使'] },
  { kind: 'consulate', colours: ['black'], positions: [PROVINCES, SERIAL, ...repeat(DIGITS, 4), '领'] },
  { kind: 'hong-kong-macao', colours: ['black'], positions: ['粤', 'Z', ...repeat(SERIAL, 4), '港澳'] },
  { kind: 'foreign', colours: ['black'], positions: [PROVINCES, LETTERS, ...repeat(SERIAL, 5)] },
];

/** Length in characters of the longest plate. */
export const LONGEST_PLATE = Math.max(...KIND_RULES.map((rule) => rule.positions.length));

function fits(rule: KindRule, characters: readonly string[]): boolean {
  return rule.positions.length === characters.length && rule.positions.every((set, i) => set.includes(characters[i] as string));
}

/** The kind of plate that a text of this ground colour is; null where GA 36 knows none. */
export function plateKind(text: string, colour: PlateColour): PlateKind | null {
  const characters = [...text];
  return KIND_RULES.find((rule) => rule.colours.includes(colour) && fits(rule, characters))?.kind ?? null;
}

/** Whether any kind of plate has this text, whatever its colour. */
export function isPlateText(text: string): boolean {
  const characters = [...text];
  return KIND_RULES.some((rule) => fits(rule, characters));
}
