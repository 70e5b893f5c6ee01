import { useState } from 'react';
import { Failure } from '../components/failure.js';
import { HoldForm } from '../components/hold-form.js';
import { HoldRow } from '../components/hold-row.js';
import { useTexts } from '../components/language.js';
import { bytesText } from '../format.js';
import type { Route } from '../router.js';
import type { Hold } from '../storage-api.js';
import type { Live } from '../use-live.js';
import { useRead } from '../use-read.js';
import './cameras.css';
import './storage.css';

const REFRESH_MS = 10_000;

function timeOf(text: string | null): number | null {
  const value = Number(text ?? NaN);
  return text !== null && Number.isFinite(value) ? value : null;
}

/** What footage is held, why and by whom; setting and releasing. */
export function HoldsPage({ live, route }: { live: Live; route: Route }) {
  const { t } = useTexts();
  const [all, setAll] = useState(false);
  const { value, problem, refresh } = useRead<Hold[]>(`/api/holds?covers=true&limit=200${all ? '&all=true' : ''}`, REFRESH_MS);
  const holds = value ?? [];
  const active = holds.filter((hold) => hold.releasedAt === null);
  const { query } = route;
  const draft = { visitUid: query.get('visit'), cameraId: query.get('camera'), from: timeOf(query.get('from')), to: timeOf(query.get('to')) };
  return (
    <main className="page holds">
      <p className="lead">{t('holdsLead')}</p>
      <div className="split">
        <section className="panel">
          <h3>
            {t('holds')}
            {value !== null && (
              <span className="count">
                {active.length} · {bytesText(active.reduce((sum, hold) => sum + (hold.covers?.bytes ?? 0), 0))}
              </span>
            )}
            <label className="check aside">
              <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} />
              {t('releasedToo')}
            </label>
          </h3>
          <Failure error={problem} />
          {value === null && problem === null && <p className="blank">{t('loading')}</p>}
          {value !== null && holds.length === 0 && <p className="blank">{t('noHolds')}</p>}
          {holds.length > 0 && (
            <div className="sheet">
              <table className="hold-list">
                <thead>
                  <tr>
                    <th>{t('holdOf')}</th>
                    <th>{t('holdReason')}</th>
                    <th>{t('heldBy')}</th>
                    <th>{t('heldUntil')}</th>
                    <th className="number">{t('heldSpace')}</th>
                    <th />
                  </tr>
                </thead>
                <tbody>
                  {holds.map((hold) => (
                    <HoldRow key={hold.id} hold={hold} camera={live.cameras.find(({ id }) => id === hold.cameraId)} onChange={refresh} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </section>
        <HoldForm draft={draft} cameras={live.cameras} onHeld={refresh} />
      </div>
    </main>
  );
}
