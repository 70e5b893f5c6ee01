import { useState } from 'react';
import { CameraCard } from '../components/camera-card.js';
import { EventList } from '../components/event-list.js';
import { useTexts } from '../components/language.js';
import { VisitDetail } from '../components/visit-detail.js';
import { VisitTable } from '../components/visit-table.js';
import { to } from '../router.js';
import type { Live } from '../use-live.js';

/** Each card loads pictures; a street of hundreds is for the list. */
const MOST_CARDS = 8;

/** The first page: what stands where now and what happened. */
export function OverviewPage({ live }: { live: Live }) {
  const { t } = useTexts();
  const [openUid, setOpenUid] = useState<string | null>(null);
  const open = live.visits.find((visit) => visit.uid === openUid) ?? null;
  const shown = live.cameras.slice(0, MOST_CARDS);
  return (
    <main>
      <section className="cameras" aria-label={t('cameras')}>
        {live.cameras.length === 0 && live.status !== null && <p className="empty">{t('noCameras')}</p>}
        {shown.map((camera) => (
          <CameraCard key={camera.id} camera={camera} onOpen={setOpenUid} />
        ))}
      </section>
      {live.cameras.length > shown.length && (
        <p className="more">
          {shown.length} / {live.cameras.length} · <a href={to('cameras')}>{t('allCameras')} →</a>
        </p>
      )}
      <section className="below">
        <VisitTable visits={live.visits} openUid={openUid} onOpen={setOpenUid} />
        <EventList events={live.events} cameras={live.cameras} />
      </section>
      {open && <VisitDetail visit={open} onClose={() => setOpenUid(null)} />}
    </main>
  );
}
