import { useEffect, useRef, useState } from 'react';
import { call, get, send, type CameraState } from '../api.js';
import { clockTime } from '../format.js';
import { useTexts } from './language.js';
import type { TextKey } from '../texts.js';

/** What the service knows of the device behind a camera. */
interface DeviceState {
  transport: string | null;
  source: { host: string; port: number } | null;
  edition: string | null;
  userAgent: string | null;
  info: { manufacturer: string | null; model: string | null; firmware: string | null } | null;
  lastKeepaliveAt: number | null;
  clockOffsetMs: number | null;
  problems: string[];
}

const DEVICE_EVERY_MS = 20_000;

/** The device, asked for every now and then; null while nothing is known. */
function useDevice(deviceId: string | null): DeviceState | null {
  const [device, setDevice] = useState<DeviceState | null>(null);
  useEffect(() => {
    setDevice(null);
    if (deviceId === null) return;
    const abort = new AbortController();
    const load = (): void => void get<DeviceState>(`/api/devices/${deviceId}`, abort.signal).then(setDevice, () => undefined);
    load();
    const timer = setInterval(load, DEVICE_EVERY_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [deviceId]);
  return device;
}

type Move = { pan?: 'left' | 'right'; tilt?: 'up' | 'down'; zoom?: 'in' | 'out' };

const PAD: readonly { key: TextKey; sign: string; move: Move; area: string }[] = [
  { key: 'up', sign: '▲', move: { tilt: 'up' }, area: 'u' },
  { key: 'leftwards', sign: '◀', move: { pan: 'left' }, area: 'l' },
  { key: 'rightwards', sign: '▶', move: { pan: 'right' }, area: 'r' },
  { key: 'down', sign: '▼', move: { tilt: 'down' }, area: 'd' },
  { key: 'zoomIn', sign: '＋', move: { zoom: 'in' }, area: 'i' },
  { key: 'zoomOut', sign: '－', move: { zoom: 'out' }, area: 'o' },
];

const SPEED = 80;
const ZOOM_SPEED = 8;

/** What a GB/T 28181 camera can be told: to move, to go to a preset, to take a picture, to restart. Each needs the token. */
export function DeviceControl({ camera }: { camera: CameraState }) {
  const { t } = useTexts();
  const [said, setSaid] = useState<{ text: string; failed: boolean } | null>(null);
  const [busy, setBusy] = useState(false);
  const [preset, setPreset] = useState(1);
  const line = useRef<Promise<void>>(Promise.resolve());
  const [sure, setSure] = useState(false);
  const [picture, setPicture] = useState<{ url: string; source: string } | null>(null);
  useEffect(() => () => void (picture && URL.revokeObjectURL(picture.url)), [picture]);
  const gb = camera.gb28181;
  const known = useDevice(gb?.deviceId ?? null);
  if (gb === null) return <p className="empty">{t('controlOnlyGb')}</p>;
  const device = `/api/devices/${gb.deviceId}`;
  const channel = `${device}/channels/${gb.channelId}`;

  const run = async (what: string, work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await work();
      setSaid({ text: `${what}: ${t('done')}`, failed: false });
    } catch (error) {
      setSaid({ text: `${what}: ${(error as Error).message}`, failed: true });
    }
    setBusy(false);
  };
  // One after the other: a stop that overtook its movement, while a token was asked for, would leave the camera turning.
  const tell = (what: string, path: string, body?: unknown): Promise<void> => (line.current = line.current.then(() => run(what, async () => void (await send('POST', path, body)))));
  const snapshot = async (): Promise<void> => {
    const response = await call(`${channel}/snapshot`, { method: 'POST' });
    const url = URL.createObjectURL(await response.blob());
    setPicture({ url, source: response.headers.get('x-snapshot-source') ?? 'stream' });
  };

  return (
    <div className="control">
      <h3>{t('control')}</h3>
      {known && (
        <p className="device-line">
          {[
            known.source && `${known.transport ?? ''} ${known.source.host.includes(':') ? `[${known.source.host}]` : known.source.host}:${known.source.port}`,
            known.edition && `GB/T 28181-${known.edition}`,
            [known.info?.manufacturer, known.info?.model].filter((part) => part != null).join(' ') || known.userAgent,
            known.info?.firmware && `${t('firmware')} ${known.info.firmware}`,
            known.lastKeepaliveAt !== null && `${t('keepalive')} ${clockTime(known.lastKeepaliveAt)}`,
            known.clockOffsetMs !== null && Math.abs(known.clockOffsetMs) > 1_000 && `${t('clockOff')} ${(known.clockOffsetMs / 1000).toFixed(0)} s`,
          ]
            .filter((part) => typeof part === 'string' && part !== '')
            .join(' · ')}
        </p>
      )}
      {known && known.problems.length > 0 && (
        <ul className="troubles">
          {known.problems.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      <div className="control-row">
        <PtzPad disabled={!camera.online} onMove={(key, move) => void tell(t(key), `${channel}/ptz`, { kind: 'move', ...move, panSpeed: SPEED, tiltSpeed: SPEED, zoomSpeed: ZOOM_SPEED })} onStop={() => void tell(t('ptz'), `${channel}/ptz`, { kind: 'stop' })} />
        <div className="control-buttons">
          <label>
            {t('preset')}
            <input type="number" min={1} max={255} value={preset} onChange={(event) => setPreset(Math.min(255, Math.max(1, Math.round(Number(event.target.value)) || 1)))} />
          </label>
          <button type="button" disabled={busy || !camera.online} onClick={() => void tell(t('callPreset'), `${channel}/preset`, { action: 'call', preset })}>
            {t('callPreset')}
          </button>
          <button type="button" disabled={busy || !camera.online} onClick={() => void tell(t('setPreset'), `${channel}/preset`, { action: 'set', preset })}>
            {t('setPreset')}
          </button>
          <button type="button" disabled={busy} onClick={() => void run(t('snapshot'), snapshot)}>
            {t('snapshot')}
          </button>
          <button type="button" disabled={busy || !camera.online} onClick={() => void tell(t('keyFrame'), `${channel}/key-frame`)}>
            {t('keyFrame')}
          </button>
          <button type="button" className="danger" disabled={busy || !camera.online} onClick={() => setSure(true)}>
            {t('reboot')}
          </button>
        </div>
      </div>
      {said && (
        <p className={said.failed ? 'said failed' : 'said'} role="status">
          {said.text}
        </p>
      )}
      {picture && (
        <figure>
          <img src={picture.url} alt={t('snapshotFrom')} />
          <figcaption>
            {t('snapshotFrom')} · {t(picture.source === 'device' ? 'snapshot.device' : 'snapshot.stream')}
          </figcaption>
        </figure>
      )}
      {sure && (
        <Confirm
          text={t('rebootSure')}
          onAnswer={(yes) => {
            setSure(false);
            if (yes) void tell(t('reboot'), `${device}/reboot`);
          }}
        />
      )}
    </div>
  );
}

/** Moves while a button is held: a movement goes on at the camera until it is told to stop, whatever happens to the pointer. */
function PtzPad({ disabled, onMove, onStop }: { disabled: boolean; onMove: (key: TextKey, move: Move) => void; onStop: () => void }) {
  const { t } = useTexts();
  const moving = useRef(false);
  const stop = useRef(onStop);
  stop.current = onStop;
  const end = (): void => {
    if (!moving.current) return;
    moving.current = false;
    stop.current();
  };
  const begin = (key: TextKey, move: Move): void => {
    if (moving.current) return;
    moving.current = true;
    onMove(key, move);
  };
  // A pointer that is let go elsewhere, a page that is left, a window that loses the keyboard: the camera must not go on.
  useEffect(() => {
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
    addEventListener('blur', end);
    return () => {
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
      removeEventListener('blur', end);
      end();
    };
  }, []);
  return (
    <div className="ptz" role="group" aria-label={t('ptz')} title={t('ptzHint')}>
      {PAD.map(({ key, sign, move, area }) => (
        <button
          key={key}
          type="button"
          style={{ gridArea: area }}
          aria-label={t(key)}
          title={t(key)}
          disabled={disabled}
          onPointerDown={() => begin(key, move)}
          onKeyDown={(event) => {
            if ((event.key === 'Enter' || event.key === ' ') && !event.repeat) begin(key, move);
          }}
          onKeyUp={end}
          onContextMenu={(event) => event.preventDefault()}
        >
          {sign}
        </button>
      ))}
    </div>
  );
}

/** A question with two answers. */
export function Confirm({ text, onAnswer }: { text: string; onAnswer: (yes: boolean) => void }) {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="token" onCancel={() => onAnswer(false)}>
      <p>{text}</p>
      <p className="buttons">
        <button type="button" onClick={() => onAnswer(false)}>
          {t('cancel')}
        </button>
        <button type="button" className="primary" onClick={() => onAnswer(true)}>
          {t('confirm')}
        </button>
      </p>
    </dialog>
  );
}
