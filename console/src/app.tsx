import { useState } from 'react';
import { LanguageContext } from './components/language.js';
import { ProblemList } from './components/problem-list.js';
import { TokenDialog } from './components/token-dialog.js';
import { PAGES } from './pages/pages.js';
import { to, useRoute } from './router.js';
import { text, type Language } from './texts.js';
import { useLive } from './use-live.js';

/** The frame of all pages: navigation, figures, what is wrong, and the page that the address names. */
export function App() {
  const live = useLive();
  const route = useRoute();
  const [language, setLanguage] = useState<Language>(() => (localStorage.getItem('language') === 'en' ? 'en' : 'zh'));
  const t = (key: Parameters<typeof text>[1]): string => text(language, key);
  const choose = (next: Language): void => {
    localStorage.setItem('language', next);
    document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
    setLanguage(next);
  };
  const page = PAGES.find(({ name }) => name === (route.path[0] ?? ''));

  return (
    <LanguageContext value={language}>
      <header>
        <h1>{t('title')}</h1>
        <nav aria-label={t('navigation')}>
          {PAGES.map(
            ({ name, label }) =>
              label !== null && (
                <a key={name} href={to(...(name === '' ? [] : [name]))} aria-current={page?.name === name ? 'page' : undefined}>
                  {t(label)}
                </a>
              ),
          )}
        </nav>
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
      <ProblemList problems={live.status?.problems ?? []} known={live.status !== null} compact={page?.name !== ''} />
      {page ? page.render({ live, route }) : <p className="empty padded">{t('noSuchPage')}</p>}
      <TokenDialog />
    </LanguageContext>
  );
}
