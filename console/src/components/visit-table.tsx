import type { VisitState } from '../api.js';
import { dateTime, plateText, stay, yuan } from '../format.js';
import { colourName } from '../texts.js';
import { useTexts } from './language.js';

/** Visits, newest first; a click shows pictures and deliveries. */
export function VisitTable({ visits, openUid, onOpen }: { visits: VisitState[]; openUid: string | null; onOpen: (uid: string) => void }) {
  const { t, language, word } = useTexts();
  return (
    <div className="visits">
      <h2>{t('visits')}</h2>
      {visits.length === 0 && <p className="empty">{t('noVisits')}</p>}
      {visits.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>{t('berth')}</th>
              <th>{t('plate')}</th>
              <th>{t('vehicle')}</th>
              <th>{t('entered')}</th>
              <th>{t('left')}</th>
              <th>{t('stay')}</th>
              <th>{t('fee')}</th>
              <th>{t('pictures')}</th>
              <th>{t('delivery')}</th>
            </tr>
          </thead>
          <tbody>
            {visits.map((visit) => (
              <tr key={visit.uid} className={visit.uid === openUid ? 'open' : ''} onClick={() => onOpen(visit.uid)}>
                <td>
                  {visit.roadSection} {visit.berthNumber}
                </td>
                <td>
                  <PlateBadge visit={visit} />
                </td>
                <td>
                  {colourName(language, visit.bodyColour)} {word(`type.${visit.vehicleType}`)}
                </td>
                <td>
                  {dateTime(visit.enteredAt)}
                  {visit.presentAtStart && <small title={t('presentAtStart')}> *</small>}
                </td>
                <td>{visit.leftAt === null ? t('parked') : dateTime(visit.leftAt)}</td>
                <td>{visit.leftAt === null ? '' : stay(visit.leftAt - visit.enteredAt)}</td>
                <td>{visit.feeFen === null ? '' : yuan(visit.feeFen)}</td>
                <td>{visit.pictures.length}</td>
                <td>
                  {visit.deliveries.filter((delivery) => delivery.state === 'delivered').length}/{visit.deliveries.length}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

export function PlateBadge({ visit }: { visit: VisitState }) {
  const { language } = useTexts();
  const colour = visit.plate.status === 'read' ? visit.plate.colour : 'unread';
  return <span className={`plate ${colour}`}>{plateText(language, visit.plate)}</span>;
}
