import { useEffect, useState } from 'react';
import { withToken, type BerthState, type CameraState } from '../api.js';
import { clockTime, plateText } from '../format.js';
import { to } from '../router.js';
import { useTexts } from './language.js';

const PICTURE_EVERY_MS = 2_000;

/** One camera: its newest picture with the berths drawn over it, and each berth's state. */
export function CameraCard({ camera, onOpen }: { camera: CameraState; onOpen: (uid: string) => void }) {
  const { t, word } = useTexts();
  return (
    <article className="camera">
      <h2>
        <a href={to('cameras', camera.id)}>{camera.name}</a> <small>{camera.roadSection}</small>
        <span className={`pill ${camera.stream.state}`}>{word(`stream.${camera.stream.state}`)}</span>
      </h2>
      <LivePicture camera={camera} onOpen={onOpen} />
      {camera.stream.diagnosis !== null && <p className="diagnosis">{camera.stream.diagnosis}</p>}
      <ul className="berths">
        {camera.berths.map((berth) => (
          <BerthChip key={berth.id} berth={berth} onOpen={onOpen} />
        ))}
      </ul>
      <p className="facts">
        {camera.deviceNumber} · {camera.direction} · {camera.stream.codec ?? '–'} {camera.stream.transport ?? ''} · {t('analysedTo')} {camera.analysedTo === null ? '–' : clockTime(camera.analysedTo)} · {t('lost')}{' '}
        {camera.stream.lostPackets} · {t('strangers')} {camera.stream.strangers}
      </p>
    </article>
  );
}

/** The newest picture of a camera with its berths drawn over it, renewed every two seconds. */
export function LivePicture({ camera, onOpen }: { camera: CameraState; onOpen: (uid: string) => void }) {
  const { t } = useTexts();
  const source = withToken(`/api/cameras/${encodeURIComponent(camera.id)}/latest.jpg`);
  const [shown, setShown] = useState<string | null>(null);
  // A camera that never sent anything has no picture to ask for.
  const has = camera.analysedTo !== null || camera.stream.lastUnitAt !== null;
  useEffect(() => {
    if (!has) return;
    let stopped = false;
    let timer: ReturnType<typeof setTimeout>;
    // The next picture is loaded aside and swapped in, so that the page never flickers.
    const load = (): void => {
      const url = `${source}${source.includes('?') ? '&' : '?'}t=${Date.now()}`;
      const image = new Image();
      const next = (): void => {
        if (!stopped) timer = setTimeout(load, PICTURE_EVERY_MS);
      };
      image.onload = () => {
        if (!stopped) setShown(url);
        next();
      };
      image.onerror = next;
      image.src = url;
    };
    load();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [source, has]);

  return (
    <div className="picture" style={{ aspectRatio: `${camera.width} / ${camera.height}` }}>
      {shown === null ? <p className="empty">{t('waitingForPicture')}</p> : <img src={shown} alt={camera.name} />}
      <svg viewBox={`0 0 ${camera.width} ${camera.height}`}>
        {camera.berths.map((berth) => {
          const [x, y] = middle(berth.polygon);
          return (
            <g key={berth.id} className={`berth ${berth.state}`} onClick={() => berth.visit && onOpen(berth.visit.uid)}>
              <polygon points={berth.polygon.map((p) => p.join(',')).join(' ')} />
              <text x={x} y={y} fontSize={camera.height / 30}>
                {berth.number}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

export function BerthChip({ berth, onOpen }: { berth: BerthState; onOpen: (uid: string) => void }) {
  const { language, word } = useTexts();
  return (
    <li className={berth.state}>
      <button type="button" disabled={berth.visit === null} onClick={() => berth.visit && onOpen(berth.visit.uid)}>
        <b>{berth.number}</b> {berth.visit ? plateText(language, berth.visit.plate) : word(`berth.${berth.state}`)}
        {berth.visit && <small> {clockTime(berth.visit.enteredAt)}</small>}
      </button>
    </li>
  );
}

function middle(polygon: [number, number][]): [number, number] {
  const sum = polygon.reduce<[number, number]>((all, p) => [all[0] + p[0], all[1] + p[1]], [0, 0]);
  return [sum[0] / polygon.length, sum[1] / polygon.length];
}
