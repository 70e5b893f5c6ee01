import { useState } from 'react';
import type { CameraState } from '../api.js';
import { bytesText, dateTime } from '../format.js';
import { releaseHold, type Hold } from '../storage-api.js';
import { to } from '../router.js';
import { rememberedName } from './export-panel.js';
import { Failure } from './failure.js';
import { useTexts } from './language.js';

/** One hold: what, why, by whom, until when, how much; and its release. */
export function HoldRow({ hold, camera, onChange }: { hold: Hold; camera: CameraState | undefined; onChange: () => void }) {
  const { t } = useTexts();
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState(rememberedName);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Error | null>(null);
  const release = async (): Promise<void> => {
    setBusy(true);
    setFailure(null);
    localStorage.setItem('requestedBy', name.trim());
    try {
      await releaseHold(hold.id, name.trim());
      onChange();
    } catch (error) {
      setFailure(error as Error);
      setBusy(false);
    }
  };
  const end = hold.to === null ? t('untilVisitEnds') : dateTime(hold.to).slice(0, 5) === dateTime(hold.from).slice(0, 5) ? dateTime(hold.to).slice(6) : dateTime(hold.to);
  return (
    <>
      <tr className={hold.releasedAt === null ? '' : 'gone'}>
        <td data-label={t('holdOf')}>
          <a href={`${to('footage', hold.cameraId)}?t=${hold.from}`}>{camera?.name ?? hold.cameraId}</a>
          <small>
            {dateTime(hold.from)} – {end}
          </small>
          {hold.visitUid !== null && (
            <small>
              {t('uid')} {hold.visitUid}
            </small>
          )}
        </td>
        <td data-label={t('holdReason')} className="reason">
          {hold.reason}
        </td>
        <td data-label={t('heldBy')}>
          {hold.heldBy}
          <small>{dateTime(hold.createdAt)}</small>
        </td>
        <td data-label={t('heldUntil')}>
          {hold.releasedAt !== null ? (
            <>
              <span className="tag disabled">{t('released')}</span>
              <small>
                {hold.releasedBy} · {dateTime(hold.releasedAt)}
              </small>
            </>
          ) : hold.until === null ? (
            t('untilReleased')
          ) : (
            `${new Date(hold.until + 8 * 3_600_000).getUTCFullYear()}-${dateTime(hold.until).slice(0, 11)}`
          )}
        </td>
        <td data-label={t('heldSpace')} className="number">
          {hold.covers === null ? (
            '–'
          ) : (
            <>
              {bytesText(hold.covers.bytes)}
              <small>
                {hold.covers.segments} {t('segmentsWord')}
              </small>
              {hold.covers.gone > 0 && (
                <small className="warning">
                  {hold.covers.gone} {t('goneAlready')}
                </small>
              )}
            </>
          )}
        </td>
        <td className="act">
          {hold.releasedAt === null && !asking && (
            <button type="button" onClick={() => setAsking(true)}>
              {t('release')}…
            </button>
          )}
        </td>
      </tr>
      {asking && (
        <tr className="release">
          <td colSpan={6}>
            <form
              onSubmit={(event) => {
                event.preventDefault();
                void release();
              }}
            >
              <span>{t('releaseSure')}</span>
              <label>
                {t('releaseBy')} <input value={name} maxLength={64} onChange={(event) => setName(event.target.value)} required />
              </label>
              <button type="submit" className="danger" disabled={busy || name.trim() === ''}>
                {t('release')}
              </button>
              <button type="button" onClick={() => setAsking(false)}>
                {t('cancel')}
              </button>
            </form>
            <Failure error={failure} />
          </td>
        </tr>
      )}
    </>
  );
}
