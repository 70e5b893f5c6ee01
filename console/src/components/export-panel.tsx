import { useCallback, useEffect, useState } from 'react';
import { get, send } from '../api.js';
import type { ExportState } from '../footage-api.js';
import { clockTime, dateTime, stay } from '../format.js';
import { holdAddress } from '../storage-api.js';
import type { Span } from './coverage-timeline.js';
import { useTexts } from './language.js';

const LIST_MS = 5_000;
const RUNNING_MS = 700;

/** Asks for an export of a visit; its progress shows in the list of the footage page. */
export function askForVisit(uid: string, requestedBy: string): Promise<ExportState> {
  return send<ExportState>('POST', '/api/exports', { kind: 'visit', visit: uid, requestedBy });
}

export const rememberedName = (): string => localStorage.getItem('requestedBy') ?? '';

/** A clip to cut out of the footage, and what was exported before. */
export function ExportPanel({ cameraId, at, day, selection, onSelect }: { cameraId: string; at: number | null; day: number; selection: Span | null; onSelect: (selection: Span) => void }) {
  const { t } = useTexts();
  const [marked, setMarked] = useState(false);
  const [text, setText] = useState('');
  const [name, setName] = useState(rememberedName);
  const [said, setSaid] = useState<string | null>(null);
  const { list, refresh } = useExports();
  const ready = selection !== null && selection.to > selection.from && name.trim() !== '';

  const set = (edge: 'from' | 'to', time: number): void => {
    const span = selection ?? { from: time, to: time + 30_000 };
    const next = { ...span, [edge]: time };
    onSelect(next.to > next.from ? next : edge === 'from' ? { from: time, to: time + 30_000 } : { from: time - 30_000, to: time });
  };
  const begin = async (): Promise<void> => {
    if (!selection) return;
    localStorage.setItem('requestedBy', name.trim());
    try {
      await send('POST', '/api/exports', { kind: 'clip', camera: cameraId, from: Math.round(selection.from), to: Math.round(selection.to), watermark: marked ? text.trim() || name.trim() : null, requestedBy: name.trim() });
      setSaid(null);
    } catch (error) {
      setSaid((error as Error).message);
    }
    refresh();
  };
  const edge = (which: 'from' | 'to', label: string) => (
    <label>
      {label}
      <input type="time" step="1" value={selection ? clockTime(selection[which]) : ''} onChange={(event) => event.target.value !== '' && set(which, day + secondsOf(event.target.value) * 1000)} />
      <button type="button" disabled={at === null} onClick={() => at !== null && set(which, at)}>
        {t('setHere')}
      </button>
    </label>
  );

  return (
    <section className="panel export">
      <h3>{t('exportClip')}</h3>
      <div className="edges">
        {edge('from', t('exportFrom'))}
        {edge('to', t('exportTo'))}
      </div>
      <label className="wide">
        {t('requestedBy')}
        <input value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="check">
        <input type="checkbox" checked={marked} onChange={(event) => setMarked(event.target.checked)} />
        {t('watermark')}
      </label>
      {marked && (
        <label className="wide">
          {t('watermarkText')}
          <input value={text} maxLength={100} placeholder={name} onChange={(event) => setText(event.target.value)} />
        </label>
      )}
      <div className="buttons">
        {selection && <span className="quiet">{`${t('duration')} ${stay(selection.to - selection.from)}`}</span>}
        {selection && selection.to > selection.from && (
          <a className="button" href={holdAddress({ cameraId, from: selection.from, to: selection.to })}>
            {t('holdSelection')}
          </a>
        )}
        <button type="button" className="primary" disabled={!ready} onClick={() => void begin()}>
          {t('exportNow')}
        </button>
      </div>
      {said !== null && <p className="said failed">{said}</p>}
      <h3 className="list-title">{t('exports')}</h3>
      {list.length === 0 && <p className="quiet">{t('noExports')}</p>}
      <ul className="export-list">
        {list.map((one) => (
          <ExportRow key={one.id} one={one} onChange={refresh} />
        ))}
      </ul>
    </section>
  );
}

function ExportRow({ one, onChange }: { one: ExportState; onChange: () => void }) {
  const { t, word } = useTexts();
  const [problem, setProblem] = useState<string | null>(null);
  const { request } = one;
  const open = one.state === 'waiting' || one.state === 'running';
  const act = (work: () => Promise<unknown>): void => {
    work().then(onChange, (error: unknown) => setProblem((error as Error).message));
  };
  const download = async (): Promise<void> => {
    const { file } = await get<{ file: string }>(`/api/exports/${one.id}/link`);
    const anchor = document.createElement('a');
    anchor.href = file;
    anchor.download = one.file ?? '';
    anchor.click();
  };
  const missing = (one.facts?.missing ?? []).reduce((sum, gap) => sum + gap.to - gap.from, 0);
  return (
    <li className={one.state}>
      <p>
        <b>{request.kind === 'clip' ? `${dateTime(request.from ?? 0)} – ${clockTime(request.to ?? 0)}` : (one.file ?? request.uid)}</b>
        <span className={`tag ${one.state === 'done' ? 'ok' : one.state === 'failed' ? 'problem' : open ? 'paused' : 'disabled'}`}>{word(`export.${one.state}`)}</span>
      </p>
      {open && <progress value={one.progress} max={1} />}
      <p className="quiet">
        {request.kind === 'clip' && `${request.cameraId} · `}
        {one.requestedBy}
        {one.bytes !== null && ` · ${(one.bytes / 1024 ** 2).toFixed(1)} MB`}
        {missing > 0 && ` · ${t('missingIn')} ${stay(missing)}`}
        {one.error !== null && <em> {one.error}</em>}
        {one.sha256 !== null && (
          <code title={`SHA-256 ${one.sha256}`} onClick={() => void navigator.clipboard?.writeText(one.sha256 ?? '')}>
            {' '}
            {one.sha256.slice(0, 12)}…
          </code>
        )}
      </p>
      {problem !== null && <p className="said failed">{problem}</p>}
      <div className="buttons">
        {one.state === 'done' && (
          <button type="button" onClick={() => act(download)}>
            {t('download')}
          </button>
        )}
        <button type="button" onClick={() => act(() => send('DELETE', `/api/exports/${one.id}`))}>
          {open ? t('cancel') : t('remove')}
        </button>
      </div>
    </li>
  );
}

/** The newest exports, read often while one is in work. */
function useExports(): { list: ExportState[]; refresh: () => void } {
  const [list, setList] = useState<ExportState[]>([]);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (): Promise<void> => {
      let open = false;
      try {
        const found = await get<ExportState[]>('/api/exports?limit=20', abort.signal);
        setList(found);
        open = found.some((one) => one.state === 'running' || one.state === 'waiting');
      } catch {
        // Told elsewhere on the page; the next reading may do better.
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void read(), open ? RUNNING_MS : LIST_MS);
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [turn]);
  return { list, refresh: useCallback(() => setTurn((now) => now + 1), []) };
}

function secondsOf(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  return hours * 3600 + minutes * 60 + seconds;
}
