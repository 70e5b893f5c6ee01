import { useState } from 'react';
import { CameraCard } from '../components/camera-card.js';
import { EventList } from '../components/event-list.js';
import { useTexts } from '../components/language.js';
import { VisitDetail } from '../components/visit-detail.js';
import { VisitTable } from '../components/visit-table.js';
import type { Live } from '../use-live.js';

/** The first page: what stands where now and what happened. */
export function OverviewPage({ live }: { live: Live }) {
  const { t } = useTexts();
  const [openUid, setOpenUid] = useState<string | null>(null);
  const open = live.visits.find((visit) => visit.uid === openUid) ?? null;
  return (
    <main>
      <section className="cameras" aria-label={t('cameras')}>
        {live.cameras.length === 0 && live.status !== null && <p className="empty">{t('noCameras')}</p>}
        {live.cameras.map((camera) => (
          <CameraCard key={camera.id} camera={camera} onOpen={setOpenUid} />
        ))}
      </section>
      <section className="below">
        <VisitTable visits={live.visits} openUid={openUid} onOpen={setOpenUid} />
        <EventList events={live.events} cameras={live.cameras} />
      </section>
      {open && <VisitDetail visit={open} onClose={() => setOpenUid(null)} />}
    </main>
  );
}
