import { BerthwatchError } from '../../base/errors.js';
import { readResult } from './device-answers.js';
import { editionOf } from './gb-version.js';
import type { ManscdpField } from './manscdp.js';
import { childOf, integerOf, numberOf, textOf, type XmlElement } from './xml.js';

/** GB/T 28181-2016 A.2.1.19 and, from PictureMask on, 2022: what ConfigDownload can ask for. */
export const CONFIG_TYPES = [
  'BasicParam',
  'VideoParamOpt',
  'SVACEncodeConfig',
  'SVACDecodeConfig',
  'VideoParamAttribute',
  'VideoRecordPlan',
  'VideoAlarmRecord',
  'PictureMask',
  'FrameMirror',
  'AlarmReport',
  'OSDConfig',
  'SnapShotConfig',
] as const;
export type ConfigType = (typeof CONFIG_TYPES)[number];

const OF_2016: readonly ConfigType[] = ['BasicParam', 'VideoParamOpt', 'SVACEncodeConfig', 'SVACDecodeConfig'];

/** Older devices refuse the whole question for one type that they do not know. */
export function knownConfigTypes(gbVersion: string | null): readonly ConfigType[] {
  return editionOf(gbVersion) === '2022' ? CONFIG_TYPES : OF_2016;
}

/** Null where the device says nothing readable, also for 0 and 65535, by which firmware says so. */
export interface BasicParam {
  name: string | null;
  /** Lifetime of a registration, seconds. */
  expirationS: number | null;
  heartBeatIntervalS: number | null;
  heartBeatCount: number | null;
  longitude: number | null;
  latitude: number | null;
}

/** A part of a device's configuration as it came: texts, and lists where names repeat. */
export type ConfigValue = string | readonly ConfigValue[] | { readonly [name: string]: ConfigValue };

export interface DeviceConfigResult {
  basic: BasicParam | null;
  /** All parts that came, by their name. */
  items: Readonly<Record<string, ConfigValue>>;
  /** False where parts that were asked for did not come. */
  complete: boolean;
}

export function readBasicParam(element: XmlElement): BasicParam {
  const inside = (name: string, least: number, most: number): number | null => {
    const value = integerOf(element, name);
    return value !== null && value >= least && value <= most ? value : null;
  };
  return {
    name: textOf(element, 'Name')?.slice(0, 256) ?? null,
    expirationS: inside('Expiration', 1, 2 ** 31),
    heartBeatIntervalS: inside('HeartBeatInterval', 1, 65_534),
    heartBeatCount: inside('HeartBeatCount', 1, 254),
    longitude: numberOf(element, 'Longitude'),
    latitude: numberOf(element, 'Latitude'),
  };
}

function toValue(element: XmlElement): ConfigValue {
  if (element.children.length === 0) return element.text;
  const names = new Map<string, ConfigValue[]>();
  for (const child of element.children) names.set(child.name, [...(names.get(child.name) ?? []), toValue(child)]);
  // fromEntries defines its own keys: an element called __proto__ is an entry like any other.
  return Object.fromEntries([...names].map(([name, values]) => [name, values.length === 1 ? (values[0] as ConfigValue) : values]));
}

/** Answers come in one message, or one a type. */
export class ConfigCollector {
  readonly #wanted: Set<string>;
  readonly #items = new Map<string, ConfigValue>();
  #basic: BasicParam | null = null;
  #failed = false;

  constructor(wanted: readonly ConfigType[]) {
    this.#wanted = new Set(wanted.map((name) => name.toLowerCase()));
  }

  add(response: XmlElement): void {
    if (readResult(response) === false) this.#failed = true;
    const basic = childOf(response, 'BasicParam');
    if (basic) this.#basic = readBasicParam(basic);
    for (const child of response.children) {
      if (child.children.length === 0 && !this.#wanted.has(child.name.toLowerCase())) continue;
      if (this.#items.size < 64) this.#items.set(child.name, toValue(child));
      this.#wanted.delete(child.name.toLowerCase());
    }
  }

  get done(): boolean {
    return this.#wanted.size === 0 || (this.#failed && this.#items.size === 0);
  }

  /** @throws BerthwatchError conflict where the device answered ERROR and nothing else */
  result(deviceId: string): DeviceConfigResult {
    if (this.#failed && this.#items.size === 0) {
      throw new BerthwatchError('conflict', 'GB_NOT_SUPPORTED', `device ${deviceId} answered ERROR when asked for its configuration: it does not give it, or not of this kind`, { detail: { deviceId } });
    }
    return { basic: this.#basic, items: Object.fromEntries(this.#items), complete: this.#wanted.size === 0 };
  }
}

/** What may be set by DeviceConfig; what is left out stays as it is. */
export interface BasicParamChange {
  name?: string | undefined;
  /** Seconds, 3600 or more. */
  expirationS?: number | undefined;
  heartBeatIntervalS?: number | undefined;
  heartBeatCount?: number | undefined;
}

/** @throws BerthwatchError bad-input */
export function basicParamFields(change: BasicParamChange): ManscdpField[] {
  const fields: ManscdpField[] = [];
  const whole = (name: string, value: number | undefined, least: number, most: number): void => {
    if (value === undefined) return;
    if (!Number.isInteger(value) || value < least || value > most) throw new BerthwatchError('bad-input', 'GB_CONFIG', `${name} must be a whole number from ${least} to ${most}, not ${value}`);
    fields.push([name, value]);
  };
  if (change.name !== undefined) {
    if (change.name.trim() === '' || change.name.length > 128) throw new BerthwatchError('bad-input', 'GB_CONFIG', 'Name must have 1 to 128 characters');
    fields.push(['Name', change.name]);
  }
  whole('Expiration', change.expirationS, 3600, 100_000);
  whole('HeartBeatInterval', change.heartBeatIntervalS, 5, 255);
  whole('HeartBeatCount', change.heartBeatCount, 3, 255);
  if (fields.length === 0) throw new BerthwatchError('bad-input', 'GB_CONFIG', 'nothing to set: give name, expirationS, heartBeatIntervalS or heartBeatCount');
  return [['BasicParam', fields]];
}
