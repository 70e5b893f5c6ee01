/** What a service in trouble answers about its disk, archive and holds: every state that the pages must show. */
const GB = 1e9;
const DAY = 86_400_000;

export interface StubHold {
  id: number;
  cameraId: string;
  from: number;
  to: number | null;
  visitUid: string | null;
  reason: string;
  heldBy: string;
  createdAt: number;
  until: number | null;
  releasedAt: number | null;
  releasedBy: string | null;
  covers: { segments: number; bytes: number; gone: number } | null;
}

export function storageAnswer(cameras: readonly string[], now: number): object {
  const of = (cameraId: string, i: number): object => ({
    cameraId,
    segments: 30_000 + i,
    bytes: (900 + i * 20) * GB,
    oldestDay: Math.floor(now / DAY) * DAY - (12 + i) * DAY,
    bytesPerDay: 43 * GB,
    retentionMs: (i === 1 ? 90 : 30) * DAY,
    quotaBytes: i === 2 ? 1_000 * GB : null,
    refused: i === 2 ? 'recording refused: the quota of the camera is used up' : null,
  });
  return {
    state: 'filling',
    disk: { totalBytes: 8_000 * GB, freeBytes: 390 * GB, reserveBytes: 50 * GB },
    quotaBytes: null,
    bytes: 6_900 * GB,
    segments: 240_000,
    bytesPerDay: 258 * GB,
    daysLeft: 1.3,
    whenFull: 'drop-oldest',
    dropped: { segments: 120, bytes: 3.6 * GB, lastAt: now - 900_000 },
    lastPass: { at: now - 300_000, tookMs: 140, segments: 1_000, bytes: 30 * GB },
    cameras: [...cameras.map(of), of(`${cameras[0]}~sub`, 0)],
  };
}

export function archiveAnswer(cameras: readonly string[], now: number): object {
  return {
    archive: {
      state: 'failing',
      reason: 'the archive (bucket footage at https://s3.example.com) answers 503 SlowDown: see whether the server is overloaded; recording goes on',
      since: now - 7_200_000,
      nextTryAt: now + 45_000,
      place: 'bucket footage at https://s3.example.com, berthwatch/',
      backlog: { segments: 12_400, bytes: 372 * GB, oldestAt: now - 7_500_000, remainingMs: 5_400_000 },
      uploading: [{ cameraId: cameras[0], segment: 40_211, bytes: 30_000_000, sent: 21_000_000 }, { cameraId: cameras[1], segment: 40_198, bytes: 30_000_000, sent: 4_000_000 }],
      uploaded: { segments: 88_000, bytes: 2_640 * GB },
      bytesPerSecond: 68_000_000,
      blocked: { segments: 1, first: { cameraId: cameras[2], segment: 17, error: 'the file has another SHA-256 than the catalogue' } },
      trouble: null,
      waitingRemovals: 210,
      unconfirmed: 2,
    },
    check: { segments: 51_200, bytes: 1_500 * GB, beganAt: now - 2 * DAY, lastRoundAt: now - 9 * DAY, findings: 2, newest: null },
  };
}

export function findingsAnswer(cameras: readonly string[], now: number): object {
  const about = { startedAt: now - 3 * DAY, endedAt: now - 3 * DAY + 59_960, repaired: null };
  return {
    count: 22,
    findings: [
      { kind: 'object-damaged', cameraId: cameras[0], segment: 35_880, ...about, where: `footage/${cameras[0]}/2026/01/03/101500-00035880.mp4`, expected: '9f2c'.repeat(16), actual: '17ab'.repeat(16), damage: { gop: 12, offset: 6_100_231, at: now - 3 * DAY + 12_000, what: 'the checksum of its pictures is wrong' }, advice: 'restore it', foundAt: now - 3_600_000 },
      { kind: 'lost', cameraId: cameras[1], segment: 20_001, ...about, where: `/srv/footage/cameras/${cameras[1]}/00020001.mp4`, expected: null, actual: null, damage: null, advice: 'put the file back', foundAt: now - 7_200_000 },
    ],
  };
}

export function stubHolds(cameras: readonly string[], now: number): StubHold[] {
  const hold = (id: number, values: Partial<StubHold>): StubHold => ({ id, cameraId: cameras[0] as string, from: now - 2 * DAY, to: now - 2 * DAY + 5_400_000, visitUid: null, reason: '', heldBy: '李伟', createdAt: now - DAY, until: null, releasedAt: null, releasedBy: null, covers: { segments: 91, bytes: 2.7 * GB, gone: 0 }, ...values });
  return [
    hold(3, { visitUid: '370202HZ00120260103101500123', to: null, reason: '车主申诉：不是本车，要求调取入场录像' }),
    hold(2, { cameraId: cameras[1] as string, reason: '交警调取剐蹭事故录像，案号 2026-0113', heldBy: '王芳', until: now + 20 * DAY, covers: { segments: 40, bytes: 1.2 * GB, gone: 12 } }),
    hold(1, { cameraId: cameras[2] as string, reason: '误操作', releasedAt: now - 3_600_000, releasedBy: '赵强', covers: null }),
  ];
}
