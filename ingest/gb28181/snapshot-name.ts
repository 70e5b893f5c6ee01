import { readGbTime } from './gb-time.js';

/** What the name of an uploaded picture says (GB/T 28181-2022 9.14): id, `02`, 17 digits of Beijing time, two digits of number. */
export interface SnapshotName {
  channelId: string;
  /** Unix ms. */
  takenAt: number;
  number: number;
}

/** Null where it is not such a name; a path before it and an ending behind it are ignored. */
export function readSnapshotName(name: string): SnapshotName | null {
  const match = /(?:^|[/\\])(\d{20})02(\d{14})(\d{3})(\d{2})(?:\.[A-Za-z]{1,5})?$/.exec(name.length > 512 ? '' : name);
  if (!match) return null;
  const [, channelId, stamp, ms, number] = match as unknown as [string, string, string, string, string];
  const seconds = readGbTime(`${stamp.slice(0, 4)}-${stamp.slice(4, 6)}-${stamp.slice(6, 8)}T${stamp.slice(8, 10)}:${stamp.slice(10, 12)}:${stamp.slice(12)}`);
  return seconds === null ? null : { channelId, takenAt: seconds + Number(ms), number: Number(number) };
}
