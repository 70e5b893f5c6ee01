import { useState } from 'react';
import { CameraCard } from './components/camera-card.js';
import { EventList } from './components/event-list.js';
import { LanguageContext } from './components/language.js';
import { ProblemList } from './components/problem-list.js';
import { VisitDetail } from './components/visit-detail.js';
import { VisitTable } from './components/visit-table.js';
import { text, type Language } from './texts.js';
import { useLive } from './use-live.js';

/** The first page: what stands where now, what happened, and what is wrong. */
export function App() {
  const live = useLive();
  const [language, setLanguage] = useState<Language>(() => (localStorage.getItem('language') === 'en' ? 'en' : 'zh'));
  const [openUid, setOpenUid] = useState<string | null>(null);
  const open = live.visits.find((visit) => visit.uid === openUid) ?? null;
  const t = (key: Parameters<typeof text>[1]): string => text(language, key);
  const choose = (next: Language): void => {
    localStorage.setItem('language', next);
    document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
    setLanguage(next);
  };

  return (
    <LanguageContext value={language}>
      <header>
        <h1>{t('title')}</h1>
        {live.status && (
          <p className="figures">
            {t('visits')} {live.status.counts.visits} · {t('parked')} {live.status.counts.openVisits} · {t('pictures')} {live.status.counts.pictures}
            {live.status.platforms.map((platform) => (
              <span key={platform.platform}>
                {' '}
                · {platform.platform}: {t('delivered')} {platform.delivered}, {t('pending')} {platform.pending}
              </span>
            ))}
          </p>
        )}
        <button type="button" onClick={() => choose(language === 'zh' ? 'en' : 'zh')}>
          {language === 'zh' ? 'English' : '中文'}
        </button>
      </header>
      {live.broken !== null && (
        <p className="broken" role="alert">
          {t('connectionLost')}: {live.broken}
        </p>
      )}
      <ProblemList problems={live.status?.problems ?? []} known={live.status !== null} />
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
      </main>
      {open && <VisitDetail visit={open} onClose={() => setOpenUid(null)} />}
    </LanguageContext>
  );
}
