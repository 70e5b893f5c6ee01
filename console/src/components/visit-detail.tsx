import { useEffect, useRef } from 'react';
import { withToken, type VisitState } from '../api.js';
import { dateTime, stay, yuan } from '../format.js';
import { colourName } from '../texts.js';
import { useTexts } from './language.js';
import { PlateBadge } from './visit-table.js';
import { VisitFootage } from './visit-footage.js';

/** One visit with its pictures and what the platforms said to it. */
export function VisitDetail({ visit, onClose }: { visit: VisitState; onClose: () => void }) {
  const { t, language, word } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose}>
      <h2>
        {visit.roadSection} {t('berth')} {visit.berthNumber} <PlateBadge visit={visit} />
        <button type="button" onClick={onClose}>
          {t('close')}
        </button>
      </h2>
      <p className="facts">
        {t('uid')} {visit.uid} · {colourName(language, visit.bodyColour)} {word(`type.${visit.vehicleType}`)} · {t('entered')} {dateTime(visit.enteredAt)}
        {visit.presentAtStart && ` (${t('presentAtStart')})`} · {t('left')} {visit.leftAt === null ? t('parked') : dateTime(visit.leftAt)}
        {visit.leftAt !== null && ` · ${t('stay')} ${stay(visit.leftAt - visit.enteredAt)}`}
        {visit.feeFen !== null && ` · ${t('fee')} ${yuan(visit.feeFen)}`} · {t('confidence')} {(visit.confidence * 100).toFixed(0)} % · {t('corrections')} {visit.revision}
      </p>
      <VisitFootage visit={visit} onClose={onClose} />
      <div className="pictures">
        {visit.pictures.map((picture) => (
          <a key={picture.id} href={withToken(`/api/evidence/${encodeURIComponent(picture.id)}`)} target="_blank" rel="noreferrer">
            <figure>
              <img src={withToken(`/api/evidence/${encodeURIComponent(picture.id)}`)} alt={picture.id} loading="lazy" />
              <figcaption>
                {word(`role.${picture.role}`)} · {dateTime(picture.takenAt)} · {picture.width}×{picture.height} · {(picture.bytes / 1024).toFixed(0)} KB
                <br />
                <code title="SHA-256">{picture.sha256.slice(0, 16)}…</code>
              </figcaption>
            </figure>
          </a>
        ))}
      </div>
      <table className="deliveries">
        <tbody>
          {visit.deliveries.map((delivery) => (
            <tr key={`${delivery.platform} ${delivery.key}`} className={delivery.state}>
              <td>{delivery.platform}</td>
              <td>{word(`kind.${delivery.kind}`)}</td>
              <td>{word(`state.${delivery.state}`)}</td>
              <td>{delivery.deliveredAt === null ? '' : dateTime(delivery.deliveredAt)}</td>
              <td>×{delivery.attempts}</td>
              <td>{delivery.state === 'delivered' ? '' : delivery.lastOutcome}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </dialog>
  );
}
