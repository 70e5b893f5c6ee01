import { useState } from 'react';
import type { CameraState } from '../api.js';
import { addHold, type Hold, type NewHold } from '../storage-api.js';
import { bytesText } from '../format.js';
import { rememberedName } from './export-panel.js';
import { Failure } from './failure.js';
import { useTexts } from './language.js';

const OFFSET_MS = 8 * 3_600_000;

/** What a link to this page has filled in already. */
export interface HoldDraft {
  visitUid: string | null;
  cameraId: string | null;
  from: number | null;
  to: number | null;
}

/** Of a `datetime-local` field, which knows no zone: Beijing time, as everywhere. */
const fieldText = (at: number | null): string => (at === null ? '' : new Date(at + OFFSET_MS).toISOString().slice(0, 19));
const fieldTime = (text: string): number | null => {
  const at = Date.parse(`${text}${text.length === 16 ? ':00' : ''}+08:00`);
  return Number.isFinite(at) ? at : null;
};

/** Sets a hold, of a visit or of a camera's time. */
export function HoldForm({ draft, cameras, onHeld }: { draft: HoldDraft; cameras: CameraState[]; onHeld: () => void }) {
  const { t, language } = useTexts();
  const [kind, setKind] = useState<'camera' | 'visit'>(draft.visitUid === null ? 'camera' : 'visit');
  const [visitUid, setVisitUid] = useState(draft.visitUid ?? '');
  const [cameraId, setCameraId] = useState(draft.cameraId ?? '');
  const [from, setFrom] = useState(fieldText(draft.from));
  const [to, setTo] = useState(fieldText(draft.to));
  const [reason, setReason] = useState('');
  const [heldBy, setHeldBy] = useState(rememberedName);
  const [until, setUntil] = useState('');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Error | null>(null);
  const [held, setHeld] = useState<Hold | null>(null);

  const begin = fieldTime(from);
  const end = fieldTime(to);
  const chosen = cameraId === '' ? (cameras[0]?.id ?? '') : cameraId;
  const backwards = kind === 'camera' && begin !== null && end !== null && end <= begin;
  const ready = reason.trim() !== '' && heldBy.trim() !== '' && (kind === 'visit' ? visitUid.trim() !== '' : chosen !== '' && begin !== null && end !== null && !backwards);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setFailure(null);
    setHeld(null);
    localStorage.setItem('requestedBy', heldBy.trim());
    const ends = fieldTime(until);
    const common = { reason: reason.trim(), heldBy: heldBy.trim(), ...(ends === null ? {} : { until: ends }) };
    const asked: NewHold = kind === 'visit' ? { visitUid: visitUid.trim(), ...common } : { cameraId: chosen, from: begin ?? 0, to: end ?? 0, ...common };
    try {
      setHeld(await addHold(asked));
      setReason('');
      onHeld();
    } catch (error) {
      setFailure(error as Error);
    }
    setBusy(false);
  };

  return (
    <section className="panel hold-form">
      <h3>{t('newHold')}</h3>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className="choice" role="radiogroup" aria-label={t('holdOf')}>
          {(['camera', 'visit'] as const).map((one) => (
            <label key={one} className={kind === one ? 'chosen' : ''}>
              <input type="radio" name="hold-kind" checked={kind === one} onChange={() => setKind(one)} />
              {t(`holdof.${one}`)}
            </label>
          ))}
        </div>
        {kind === 'visit' ? (
          <>
            <label className="wide">
              {t('uid')}
              <input name="visit" value={visitUid} maxLength={60} onChange={(event) => setVisitUid(event.target.value)} required />
            </label>
            <p className="quiet small">{t('holdVisitNote')}</p>
          </>
        ) : (
          <>
            <label className="wide">
              {t('cameras')}
              <select name="camera" value={chosen} onChange={(event) => setCameraId(event.target.value)}>
                {chosen !== '' && !cameras.some(({ id }) => id === chosen) && <option value={chosen}>{chosen}</option>}
                {cameras.map((camera) => (
                  <option key={camera.id} value={camera.id}>
                    {camera.name} · {camera.roadSection}
                  </option>
                ))}
              </select>
            </label>
            <div className="pair">
              <label className="wide">
                {t('exportFrom')}
                <input name="from" type="datetime-local" step="1" value={from} onChange={(event) => setFrom(event.target.value)} required />
              </label>
              <label className="wide">
                {t('exportTo')}
                <input name="to" type="datetime-local" step="1" value={to} onChange={(event) => setTo(event.target.value)} required />
              </label>
            </div>
            {backwards && <p className="said failed">{t('holdWrongTime')}</p>}
          </>
        )}
        <label className="wide">
          {t('holdReason')}
          <textarea name="reason" rows={2} value={reason} maxLength={500} placeholder={t('holdReasonHint')} onChange={(event) => setReason(event.target.value)} required />
        </label>
        <div className="pair">
          <label className="wide">
            {t('heldBy')}
            <input name="heldBy" value={heldBy} maxLength={64} onChange={(event) => setHeldBy(event.target.value)} required />
          </label>
          <label className="wide">
            {t('holdUntil')}
            <input name="until" type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
          </label>
        </div>
        <Failure error={failure} />
        {held && (
          <p className="said" role="status">
            {t('heldNow')} · {held.covers?.segments ?? 0} {t('segmentsWord')} · {bytesText(held.covers?.bytes ?? 0)}
            {(held.covers?.gone ?? 0) > 0 && (
              <b className="warning">
                {language === 'zh' ? '，' : ', '}
                {held.covers?.gone} {t('goneAlready')}
              </b>
            )}
          </p>
        )}
        <p className="buttons">
          <button type="submit" className="primary" disabled={!ready || busy}>
            {t('holdNow')}
          </button>
        </p>
      </form>
    </section>
  );
}
