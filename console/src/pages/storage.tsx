import { ArchivePanel } from '../components/archive-panel.js';
import { DiskPanel } from '../components/disk-panel.js';
import { Failure } from '../components/failure.js';
import { FindingList } from '../components/finding-list.js';
import { useTexts } from '../components/language.js';
import { RetentionTable } from '../components/retention-table.js';
import { dateTime } from '../format.js';
import type { ArchiveView, StorageState, StoredFinding } from '../storage-api.js';
import type { Live } from '../use-live.js';
import { useNow } from '../use-now.js';
import { useRead } from '../use-read.js';
import './cameras.css';
import './storage.css';

const OFTEN_MS = 5_000;
const SELDOM_MS = 30_000;
const SHOWN_FINDINGS = 20;

/** Parts of the problem board that speak of what is stored. */
const ABOUT_STORAGE = /^(footage|archive|storage|database|clock)(\/|$)/;

/** What is stored where, for how long, and whether it is as it should be. */
export function StoragePage({ live }: { live: Live }) {
  const { t } = useTexts();
  const now = useNow(live.status?.now ?? null);
  const storage = useRead<StorageState>('/api/storage', OFTEN_MS);
  const archive = useRead<ArchiveView>('/api/archive', OFTEN_MS);
  const found = useRead<{ count: number; findings: StoredFinding[] }>(`/api/archive/findings?limit=${SHOWN_FINDINGS}`, SELDOM_MS);
  const names = new Map(live.cameras.map((camera) => [camera.id, camera.name]));
  const alarms = (live.status?.problems ?? []).filter(({ part }) => ABOUT_STORAGE.test(part));
  return (
    <main className="page storage">
      {alarms.length > 0 ? (
        <ul className="troubles" aria-label={t('alarms')}>
          {alarms.map((alarm) => (
            <li key={alarm.part}>
              <time>{dateTime(alarm.since)}</time> <b>{alarm.part}</b> {alarm.message}
            </li>
          ))}
        </ul>
      ) : (
        live.status !== null && <p className="note well">{t('noAlarms')}</p>
      )}
      <Failure error={storage.problem ?? archive.problem ?? found.problem} />
      <div className="halves">
        <div>
          {storage.value && <DiskPanel storage={storage.value} />}
          {found.value && (
            <section className="panel findings">
              <h3>
                {t('findings')} {found.value.count > 0 && <span className="count removed">{found.value.count}</span>}
              </h3>
              <FindingList found={found.value} names={names} />
            </section>
          )}
        </div>
        {archive.value && <ArchivePanel view={archive.value} now={now} names={names} />}
      </div>
      {storage.value && (
        <section className="panel">
          <h3>{t('retentionByCamera')}</h3>
          <RetentionTable cameras={storage.value.cameras} names={names} now={now} />
        </section>
      )}
    </main>
  );
}
