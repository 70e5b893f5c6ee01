import { useEffect, useState, type ReactNode } from 'react';
import { get, type CameraState, type VisitState } from '../api.js';
import { healthOf, pictureAge, problemsOf } from '../camera-health.js';
import { BerthChip, LivePicture } from '../components/camera-card.js';
import { DeviceControl } from '../components/device-control.js';
import { useTexts } from '../components/language.js';
import { VisitDetail } from '../components/visit-detail.js';
import { PlateBadge } from '../components/visit-table.js';
import { age, bitrate, clockTime, dateTime, windowText } from '../format.js';
import { to } from '../router.js';
import type { Live } from '../use-live.js';
import { useNow } from '../use-now.js';
import './cameras.css';

/** One camera: its picture with the berths, what is wrong, what it is, and what it can be told. */
export function CameraPage({ id, live }: { id: string; live: Live }) {
  const { t, word } = useTexts();
  const now = useNow(live.status?.now ?? null);
  const [openUid, setOpenUid] = useState<string | null>(null);
  const visits = useVisits(id, `${live.status?.counts.visits ?? 0}/${live.status?.counts.openVisits ?? 0}/${live.status?.counts.pictures ?? 0}`);
  const camera = live.cameras.find((c) => c.id === id);
  if (!camera) {
    return (
      <main className="page">
        <p className="blank">
          {live.status === null ? '…' : t('noSuchCamera')} · <a href={to('cameras')}>{t('allCameras')}</a>
        </p>
      </main>
    );
  }
  const problems = problemsOf(id, live.status?.problems ?? []);
  const health = healthOf(camera, problems, now);
  const open = [...live.visits, ...visits].find((visit) => visit.uid === openUid) ?? null;
  const troubles = [...new Set([camera.stream.diagnosis, ...problems.map((problem) => problem.message)].filter((text) => text !== null))];
  return (
    <main className="page camera-page">
      <p className="crumbs">
        <a href={to('cameras')}>← {t('cameraList')}</a> · <a href={to('footage', id)}>{t('footageOf')}</a>
      </p>
      <h2 className="headline">
        <span className={`dot ${health}`} />
        {camera.name}
        <small>
          {camera.roadSection} · {camera.direction}
        </small>
        <span className={`tag ${health}`}>{word(`health.${health}`)}</span>
      </h2>
      {!camera.enabled && <p className="note">{t('disabledHint')}</p>}
      {camera.enabled && !camera.analysis.open && <p className="note">{t('outsideHours')}</p>}
      {troubles.length > 0 && (
        <ul className="troubles" role="alert">
          {troubles.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      <div className="split">
        <div>
          <section className="panel">
            <LivePicture camera={camera} onOpen={setOpenUid} />
            <ul className="berths">
              {camera.berths.map((berth) => (
                <BerthChip key={berth.id} berth={berth} onOpen={setOpenUid} />
              ))}
            </ul>
          </section>
          <section className="panel">
            <h3>{t('recentVisits')}</h3>
            <Visits visits={visits} onOpen={setOpenUid} />
          </section>
        </div>
        <div className="side">
          <section className="panel">
            <Facts camera={camera} now={now} />
          </section>
          <section className="panel">
            <DeviceControl camera={camera} />
          </section>
        </div>
      </div>
      {open && <VisitDetail visit={open} onClose={() => setOpenUid(null)} />}
    </main>
  );
}

/** The camera's own latest visits, asked for again when `change` says that something happened. */
function useVisits(cameraId: string, change: string): VisitState[] {
  const [visits, setVisits] = useState<VisitState[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    get<VisitState[]>(`/api/visits?limit=12&camera=${encodeURIComponent(cameraId)}`, abort.signal).then(setVisits, () => undefined);
    return () => abort.abort();
  }, [cameraId, change]);
  return visits;
}

function Facts({ camera, now }: { camera: CameraState; now: number }) {
  const { t, word, language } = useTexts();
  const { stream } = camera;
  const picture = pictureAge(camera, now);
  const rows: [string, ReactNode][] = [
    [t('device'), camera.onlineSince === null ? (camera.online ? word('health.ok') : t('offline')) : `${t('onlineSince')} ${dateTime(camera.onlineSince)}`],
    [t('stream'), word(`stream.${stream.state}`)],
    [t('codec'), stream.codec === null ? '–' : stream.codec.toUpperCase().replace('H26', 'H.26')],
    [t('bitrate'), stream.bitsPerSecond === null ? '–' : bitrate(stream.bitsPerSecond)],
    [t('transport'), stream.transport ?? '–'],
    [t('lastPicture'), picture === null ? t('notYet') : `${age(language, picture)}${language === 'zh' ? '' : ' '}${t('ago')}`],
    [t('analysedTo'), camera.analysedTo === null ? t('notYet') : clockTime(camera.analysedTo)],
    [t('lossStrangers'), `${stream.lostPackets} / ${stream.strangers}`],
    ...(stream.lastFailure === null ? [] : ([[t('lastFailure'), `${dateTime(stream.lastFailure.at)} ${stream.lastFailure.message}`]] satisfies [string, ReactNode][])),
    [t('windows'), camera.analysis.windows.length === 0 ? t('always') : camera.analysis.windows.map((window) => windowText(language, window)).join('；')],
    [t('recorded'), `${word(`streams.${camera.streams.record}`)} · ${t('analysed')} ${word(`streams.${camera.streams.analyse}`)}`],
    [t('cameraId'), camera.id],
    [t('deviceNumber'), camera.deviceNumber],
    [t('kind'), word(`kind.${camera.kind}`)],
    [t('lot'), camera.lot],
    ...(camera.gb28181 === null ? [] : ([[t('gbChannel'), <code key="gb">{camera.gb28181.deviceId}<br />{camera.gb28181.channelId}</code>]] satisfies [string, ReactNode][])),
    [t('pictureSize'), `${camera.width} × ${camera.height}`],
    ...(camera.mountingHeightM === null ? [] : ([[t('height'), `${camera.mountingHeightM} m`]] satisfies [string, ReactNode][])),
    ...(camera.location === null ? [] : ([[t('place'), `${camera.location.longitude}, ${camera.location.latitude}`]] satisfies [string, ReactNode][])),
    ...(camera.manufacturer === null && camera.model === null ? [] : ([[t('make'), [camera.manufacturer, camera.model].filter((part) => part !== null).join(' ')]] satisfies [string, ReactNode][])),
    ...(camera.notes === null ? [] : ([[t('notes'), camera.notes]] satisfies [string, ReactNode][])),
  ];
  return (
    <dl className="facts-list">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Visits({ visits, onOpen }: { visits: VisitState[]; onOpen: (uid: string) => void }) {
  const { t } = useTexts();
  if (visits.length === 0) return <p className="empty">{t('noVisits')}</p>;
  return (
    <table className="visits">
      <tbody>
        {visits.map((visit) => (
          <tr key={visit.uid} onClick={() => onOpen(visit.uid)}>
            <td>
              {t('berth')} {visit.berthNumber}
            </td>
            <td>
              <PlateBadge visit={visit} />
            </td>
            <td>{dateTime(visit.enteredAt)}</td>
            <td>{visit.leftAt === null ? t('parked') : dateTime(visit.leftAt)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
