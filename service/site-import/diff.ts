import { isDeepStrictEqual } from 'node:util';
import type { Site, SiteCamera } from '../config/site.js';
import { columnAt, type Column } from './columns.js';
import { cellText } from './cells.js';

/** A key of which both sides are told in words. */
export interface FieldChange {
  /** Header of its column in a sheet, or its path where it has none. */
  zh: string;
  en: string;
  from: string;
  to: string;
}

export interface BerthChange {
  id: string;
  number: string;
  change: 'added' | 'changed' | 'removed';
  fields: FieldChange[];
}

export interface CameraChange {
  id: string;
  name: string;
  change: 'added' | 'changed' | 'removed';
  /** Of the camera itself, without its berths. */
  fields: FieldChange[];
  berths: BerthChange[];
}

export interface LotChange {
  code: string;
  name: string;
  change: 'added' | 'changed' | 'removed';
  fields: FieldChange[];
}

/** What an import would change. What stays as it is, is not listed. */
export interface SiteDiff {
  lots: LotChange[];
  cameras: CameraChange[];
  unchangedCameras: number;
}

const SECRETS = new Set(['gb28181.password', 'rtsp.password']);

export function siteDiff(before: Site, after: Site): SiteDiff {
  const lots = pairs(before.lots, after.lots, (lot) => lot.code).flatMap(([old, now]): LotChange[] => {
    const fields = old && now ? fieldChanges('lot', old, now) : [];
    if (old && now && fields.length === 0) return [];
    const lot = (now ?? old) as Site['lots'][number];
    return [{ code: lot.code, name: lot.name, change: !old ? 'added' : !now ? 'removed' : 'changed', fields }];
  });
  let unchangedCameras = 0;
  const cameras = pairs(before.cameras, after.cameras, (camera) => camera.id).flatMap(([old, now]): CameraChange[] => {
    const fields = old && now ? fieldChanges('camera', withoutBerths(old), withoutBerths(now)) : [];
    const berths = berthChanges(old?.berths ?? [], now?.berths ?? []);
    if (old && now && fields.length === 0 && berths.length === 0) {
      unchangedCameras++;
      return [];
    }
    const camera = (now ?? old) as SiteCamera;
    return [{ id: camera.id, name: camera.name, change: !old ? 'added' : !now ? 'removed' : 'changed', fields, berths }];
  });
  return { lots, cameras, unchangedCameras };
}

function berthChanges(before: SiteCamera['berths'], after: SiteCamera['berths']): BerthChange[] {
  return pairs(before, after, (berth) => berth.id).flatMap(([old, now]): BerthChange[] => {
    const fields = old && now ? fieldChanges('berth', old, now) : [];
    if (old && now && fields.length === 0) return [];
    const berth = (now ?? old) as SiteCamera['berths'][number];
    return [{ id: berth.id, number: berth.number, change: !old ? 'added' : !now ? 'removed' : 'changed', fields }];
  });
}

/** Old and new side by side, in the new order, with those that are gone at the end. */
function pairs<T>(before: readonly T[], after: readonly T[], id: (item: T) => string): [T | undefined, T | undefined][] {
  const old = new Map(before.map((item) => [id(item), item]));
  const now = new Set(after.map(id));
  return [...after.map((item): [T | undefined, T | undefined] => [old.get(id(item)), item]), ...before.filter((item) => !now.has(id(item))).map((item): [T | undefined, T | undefined] => [item, undefined])];
}

function withoutBerths(camera: SiteCamera): Omit<SiteCamera, 'berths'> {
  const { berths: _, ...rest } = camera;
  return rest;
}

/** Leaves of an object by path; arrays are leaves. */
function leaves(value: unknown, path: readonly string[], found: Map<string, unknown>): Map<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) for (const [key, inner] of Object.entries(value)) leaves(inner, [...path, key], found);
  else found.set(path.join('.'), value);
  return found;
}

function fieldChanges(of: Column['of'], before: object, after: object): FieldChange[] {
  const [old, now] = [leaves(before, [], new Map()), leaves(after, [], new Map())];
  const changes: FieldChange[] = [];
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    const [from, to] = [old.get(path) ?? null, now.get(path) ?? null];
    if (isDeepStrictEqual(from, to)) continue;
    const parts = path.split('.');
    const found = columnAt(of, parts);
    const exact = found && found.path.length <= parts.length ? found : null;
    const words = (value: unknown): string => (SECRETS.has(path) ? (value === null ? '' : '***') : exact ? cellText(exact.type, value) : value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value));
    changes.push({ zh: exact?.zh ?? path, en: exact?.en ?? path, from: words(from), to: words(to) });
  }
  return changes;
}
