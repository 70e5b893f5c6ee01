import { useState } from 'react';
import type { CameraState, Problem } from '../api.js';
import { analysisLag, healthOf, HEALTHS, matches, pictureAge, problemsOf, type Health } from '../camera-health.js';
import { useTexts } from '../components/language.js';
import { age, bitrate, dateTime } from '../format.js';
import { go, to } from '../router.js';
import type { Live } from '../use-live.js';
import { useNow } from '../use-now.js';
import './cameras.css';

const AT_ONCE = 100;

interface Entry {
  camera: CameraState;
  health: Health;
  problems: Problem[];
}

/** All cameras in one list: how each is, and why. */
export function CamerasPage({ live }: { live: Live }) {
  const { t } = useTexts();
  const now = useNow(live.status?.now ?? null);
  const [query, setQuery] = useState('');
  const [road, setRoad] = useState('');
  const [filter, setFilter] = useState<Health | 'all'>('all');
  const [most, setMost] = useState(AT_ONCE);

  const entries = live.cameras.map((camera): Entry => {
    const problems = problemsOf(camera.id, live.status?.problems ?? []);
    return { camera, problems, health: healthOf(camera, problems, now) };
  });
  const roads = [...new Set(live.cameras.map((camera) => camera.roadSection))].sort();
  const found = entries.filter(({ camera }) => (road === '' || camera.roadSection === road) && matches(camera, query));
  // What needs somebody comes first.
  const shown = found.filter(({ health }) => filter === 'all' || health === filter).sort((a, b) => HEALTHS.indexOf(a.health) - HEALTHS.indexOf(b.health));

  if (live.status !== null && live.cameras.length === 0) {
    return (
      <main className="page">
        <p className="blank">
          {t('noCameras')} · <a href={to('import')}>{t('importSite')} →</a>
        </p>
      </main>
    );
  }
  return (
    <main className="page">
      <div className="tiles" role="group" aria-label={t('cameraList')}>
        {(['all', ...HEALTHS] as const).map((name) => {
          const count = name === 'all' ? found.length : found.filter(({ health }) => health === name).length;
          return (
            <button key={name} type="button" className={`tile ${name}`} aria-pressed={filter === name} onClick={() => setFilter(name)}>
              <b>{count}</b>
              <span>{t(`filter.${name}`)}</span>
            </button>
          );
        })}
      </div>
      <div className="toolbar">
        <input type="search" value={query} onChange={(event) => setQuery(event.target.value)} placeholder={t('search')} aria-label={t('search')} />
        <select value={road} onChange={(event) => setRoad(event.target.value)} aria-label={t('roadSection')}>
          <option value="">{t('allRoads')}</option>
          {roads.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <a className="button" href={to('import')}>
          {t('importSite')}
        </a>
      </div>
      <div className="sheet">
        <table className="camera-list">
          <thead>
            <tr>
              <th>{t('cameraList')}</th>
              <th>{t('roadSection')}</th>
              <th>{t('state')}</th>
              <th>{t('stream')}</th>
              <th>{t('lastPicture')}</th>
              <th>{t('analysis')}</th>
              <th>{t('berths')}</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, most).map((entry) => (
              <CameraRow key={entry.camera.id} entry={entry} now={now} />
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p className="blank">{t('noneMatch')}</p>}
        {shown.length > most && (
          <p className="more">
            <button type="button" onClick={() => setMost(most + AT_ONCE)}>
              {t('showMore')} ({shown.length - most})
            </button>
          </p>
        )}
      </div>
    </main>
  );
}

function CameraRow({ entry: { camera, health, problems }, now }: { entry: Entry; now: number }) {
  const { t, word, language } = useTexts();
  const picture = pictureAge(camera, now);
  const lag = analysisLag(camera, now);
  const occupied = camera.berths.filter((berth) => berth.state === 'occupied' || berth.state === 'changing').length;
  const why = camera.stream.diagnosis ?? problems[0]?.message ?? null;
  const address = to('cameras', camera.id);
  return (
    <>
      <tr className={why === null ? '' : 'with-why'} onClick={() => go(address)}>
        <td data-label="">
          <span className={`dot ${health}`} title={word(`health.${health}`)} />
          <a href={address} onClick={(event) => event.stopPropagation()}>
            {camera.name}
          </a>
          <small>
            {camera.id} · {word(`kind.${camera.kind}`)}
          </small>
        </td>
        <td data-label={t('roadSection')}>
          {camera.roadSection}
          <small>{camera.direction}</small>
        </td>
        <td data-label={t('state')}>
          <span className={`tag ${health}`}>{word(`health.${health}`)}</span>
          <small>{camera.onlineSince === null ? (camera.online ? '' : t('offline')) : `${t('onlineSince')} ${dateTime(camera.onlineSince).slice(0, 11)}`}</small>
        </td>
        <td data-label={t('stream')}>
          {word(`stream.${camera.stream.state}`)}
          <small>{[camera.stream.codec?.toUpperCase().replace('H26', 'H.26'), camera.stream.bitsPerSecond === null ? null : bitrate(camera.stream.bitsPerSecond), camera.stream.transport].filter((part) => part != null).join(' · ')}</small>
        </td>
        <td data-label={t('lastPicture')}>{picture === null ? <span className="quiet">{t('notYet')}</span> : `${age(language, picture)}${language === 'zh' ? '' : ' '}${t('ago')}`}</td>
        <td data-label={t('analysis')}>{lag === null ? <span className="quiet">{t('notYet')}</span> : camera.analysis.open ? `${t('behind')} ${age(language, lag)}` : <span className="quiet">{word('health.paused')}</span>}</td>
        <td data-label={t('berths')}>
          <span className="fill" title={`${occupied} / ${camera.berths.length}`}>
            <i style={{ width: `${(100 * occupied) / Math.max(1, camera.berths.length)}%` }} />
          </span>
          {occupied} / {camera.berths.length}
        </td>
      </tr>
      {why !== null && (
        <tr className="why" onClick={() => go(address)}>
          <td colSpan={7}>{why}</td>
        </tr>
      )}
    </>
  );
}
