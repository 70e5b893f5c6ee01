import type { DeviceStatus } from '../../ingest/gb28181/device.js';
import type { SubscriptionStatus } from '../../ingest/gb28181/subscriptions.js';
import { neverRegistered } from '../../ingest/gb28181/diagnosis.js';
import type { DeviceView } from '../api/device-schemas.js';
import type { SiteCamera } from '../config/site.js';

export interface DeviceFacts {
  status: DeviceStatus | null;
  cameras: readonly SiteCamera[];
  subscriptions: readonly SubscriptionStatus[];
  /** The device's clock less ours, ms; null where it was not asked. */
  clockOffsetMs: number | null;
  /** The last refusal of a registration in its name. */
  refused: { reason: string; host: string; at: number } | null;
}

/** A clock that is wrong by more makes a device's own recordings hard to find. */
const CLOCK_TOLERANCE_MS = 10_000;
const MOST_NAMED = 8;

/** What the API shows of a device. */
export function deviceView(id: string, facts: DeviceFacts): DeviceView {
  const { status, cameras, subscriptions, clockOffsetMs } = facts;
  const cameraOf = (channelId: string): string | null => cameras.find((camera) => camera.gb28181?.channelId === channelId)?.id ?? null;
  return {
    id,
    online: status?.online ?? false,
    transport: status?.transport ?? null,
    source: status ? status.address : null,
    registeredAt: status?.registeredAt ?? null,
    expiresAt: status?.expiresAt || null,
    lastKeepaliveAt: status?.lastKeepaliveAt ?? null,
    lastSeenAt: status?.lastSeenAt ?? null,
    gbVersion: status?.gbVersion ?? null,
    edition: status?.edition ?? null,
    userAgent: status?.userAgent ?? null,
    info: status?.info ?? null,
    heartbeat: status?.heartbeat ?? null,
    clockOffsetMs,
    cameras: cameras.map((camera) => camera.id),
    channelCount: status?.channels.length ?? 0,
    channels: (status?.channels ?? []).map(({ id: channelId, name, online, manufacturer, model, ptzType, longitude, latitude }) => ({
      id: channelId, name, online, manufacturer, model, ptzType, longitude, latitude, cameraId: cameraOf(channelId),
    })),
    catalogComplete: status?.catalogComplete ?? null,
    subscriptions: subscriptions.map(({ kind, state, expiresAt, lastNotifyAt, reason }) => ({ kind, state, expiresAt, lastNotifyAt, reason })),
    problems: problemsOf(id, facts),
  };
}

/** What is wrong with a device, as sentences that say what to do. */
function problemsOf(id: string, { status, cameras, subscriptions, clockOffsetMs, refused }: DeviceFacts): string[] {
  const problems: string[] = [];
  if (refused && (!status || !status.online || refused.at > status.registeredAt)) problems.push(`a registration in its name from ${refused.host} was refused: ${refused.reason}`);
  if (!status) return [...problems, neverRegistered(id)];
  if (!status.online) return [...problems, `it is offline: ${status.offlineReason ?? 'not registered'}`];
  if (status.healthy === false) problems.push('it reports a fault of its own: see its own page or log');
  if (status.faultyChannels.length > 0) problems.push(`it reports faults of ${some(status.faultyChannels)}`);
  if (status.catalogComplete === false) problems.push('its list of channels came in part: ask for it again');
  const missing = status.catalogComplete ? cameras.flatMap((camera) => (status.channels.length > 0 && !status.channels.some(({ id: channel }) => channel === camera.gb28181?.channelId) ? [camera.gb28181?.channelId ?? ''] : [])) : [];
  if (missing.length > 0) problems.push(`it does not list ${some(missing)}, which the site has: compare the channel ids`);
  if (clockOffsetMs !== null && Math.abs(clockOffsetMs) > CLOCK_TOLERANCE_MS) problems.push(`its clock is ${Math.round(Math.abs(clockOffsetMs) / 1000)} s ${clockOffsetMs > 0 ? 'ahead' : 'behind'}: set its time server, or let registrations set its clock (gb28181.dateHeader)`);
  for (const { kind, state, reason } of subscriptions) if (state === 'failed') problems.push(`the ${kind} subscription does not work: ${reason ?? 'no answer'}`);
  return problems;
}

function some(ids: readonly string[]): string {
  const named = ids.slice(0, MOST_NAMED).join(', ');
  return ids.length > MOST_NAMED ? `${named} and ${ids.length - MOST_NAMED} more` : `channel ${named}`;
}
