/**
 * Licence plate numbers as GA 36 writes them, and the few that other rules issue (armed forces, armed police, emergency
 * rescue), which T/QME 0013-2024 §7.4.3 wants read as well. Letters I and O do not occur in serials.
 */
const PROVINCE = '[京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新]';
/** Code of the issuing office; O stands on some police cars. */
const OFFICE = '[A-HJ-Z]';
const SERIAL = '[0-9A-HJ-NP-Z]';
/** First letters (small) or last letters (large) of new-energy serials: all ten are in use. */
const NEW_ENERGY = '[A-HJK]';

const PATTERNS: readonly RegExp[] = [
  // Ordinary: five places, at most three of them letters.
  new RegExp(`^${PROVINCE}${OFFICE}(?=(?:[0-9]*[A-Z]){0,3}[0-9]*$)${SERIAL}{5}$`),
  // New energy, small and large: six places.
  new RegExp(`^${PROVINCE}${OFFICE}${NEW_ENERGY}${SERIAL}[0-9]{4}$`),
  new RegExp(`^${PROVINCE}${OFFICE}[0-9]{5}${NEW_ENERGY}$`),
  // Police, driving school, trailer, consulate.
  new RegExp(`^${PROVINCE}${OFFICE}${SERIAL}{4}[警学挂领]$`),
  // Hong Kong and Macao cars in the mainland.
  new RegExp(`^粤Z${SERIAL}{4}[港澳]$`),
  // Embassies, old and new order.
  /^使[0-9]{6}$/,
  /^[0-9]{6}使$/,
  // Emergency rescue.
  new RegExp(`^${PROVINCE}[XS][0-9]{4}应急$`),
  // Armed forces; armed police.
  /^[A-HJ-NP-Z]{2}[0-9]{5}$/,
  new RegExp(`^WJ${PROVINCE}?[0-9]{4}[0-9A-Z]$`),
];

/** What stands in the field when there is no plate, or when it could not be read. */
export const WITHOUT_PLATE = '无车牌';
export const UNREAD_PLATE = '未识别';

/** Null when `text` may be sent as plateNo, else what is wrong with it. */
export function plateProblem(text: string): string | null {
  if (text === WITHOUT_PLATE || text === UNREAD_PLATE) return null;
  if (/[\s\-·•.]/u.test(text)) return 'spaces, dashes and dots do not belong into a plate number';
  return PATTERNS.some((pattern) => pattern.test(text)) ? null : `'${text}' is not a plate number (GA 36), ${WITHOUT_PLATE} or ${UNREAD_PLATE}`;
}
