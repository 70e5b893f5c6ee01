import { useEffect, useMemo, useRef, useState } from 'react';
import { CoverageTimeline, type Span } from '../components/coverage-timeline.js';
import { ExportPanel } from '../components/export-panel.js';
import { useTexts } from '../components/language.js';
import { PlayerControls } from '../components/player-controls.js';
import { readDay, readMarks, type FootageDay, type VisitMark } from '../footage-api.js';
import { clockTime, stay } from '../format.js';
import { go, to, type Route } from '../router.js';
import { useFootagePlayer } from '../use-footage-player.js';
import type { Live } from '../use-live.js';
import { useNow } from '../use-now.js';
import './cameras.css';
import './footage.css';

const DAY_MS = 86_400_000;
const OFFSET_MS = 8 * 3_600_000;
const REFRESH_MS = 15_000;
const AGAIN_MS = 5_000;

const midnight = (at: number): number => Math.floor((at + OFFSET_MS) / DAY_MS) * DAY_MS - OFFSET_MS;
const dayText = (at: number): string => new Date(at + OFFSET_MS).toISOString().slice(0, 10);

/** An address of this page: a camera, and a moment to begin at. */
export function footageAddress(cameraId: string, at?: number): string {
  return `${to('footage', cameraId)}${at === undefined ? '' : `?t=${Math.round(at)}`}`;
}

/** Recorded footage of a camera, a day at a time. */
export function FootagePage({ live, route }: { live: Live; route: Route }) {
  const { t } = useTexts();
  const now = useNow(live.status?.now ?? null);
  const cameraId = route.path[1] ?? live.cameras[0]?.id ?? null;
  if (live.cameras.length === 0 && route.path[1] === undefined) return <main className="page">{live.status !== null && <p className="blank">{t('noCameras')}</p>}</main>;
  const asked = Number(route.query.get('t') ?? NaN);
  return cameraId === null ? null : <CameraFootage key={cameraId} cameraId={cameraId} asked={Number.isFinite(asked) ? asked : null} live={live} now={now} />;
}

function CameraFootage({ cameraId, asked, live, now }: { cameraId: string; asked: number | null; live: Live; now: number }) {
  const { t, word } = useTexts();
  const camera = live.cameras.find((one) => one.id === cameraId);
  const [start, setStart] = useState(() => midnight(asked ?? now));
  const { day, marks, problem } = useDay(cameraId, start, now);
  const [view, setView] = useState<Span>({ from: start, to: start + DAY_MS });
  const [selection, setSelection] = useState<Span | null>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [muted, setMuted] = useState(true);
  const player = useFootagePlayer(video, cameraId, day);

  // The moment that the address names is shown once the day is known.
  const begun = useRef<number | null>(null);
  useEffect(() => {
    if (asked === null || begun.current === asked) return;
    if (midnight(asked) !== start) return setStart(midnight(asked));
    if (!day || day.from !== start) return;
    begun.current = asked;
    const from = Math.max(start, Math.min(start + DAY_MS - 30 * 60_000, asked - 10 * 60_000));
    setView({ from, to: from + 30 * 60_000 });
    player.seek(asked, true);
  }, [asked, day, start, player]);
  const choose = (next: number): void => {
    setStart(next);
    setView({ from: next, to: next + DAY_MS });
    setSelection(null);
  };

  const berths = useMemo(() => {
    const known = new Map(camera?.berths.map((berth) => [berth.id, berth.number]) ?? []);
    for (const mark of marks) if (!known.has(mark.berthId)) known.set(mark.berthId, mark.berthId);
    return [...known].map(([id, number]) => ({ id, number }));
  }, [camera, marks]);
  const events = useMemo(() => marks.flatMap((mark) => [mark.enteredAt, mark.leftAt]).filter((time): time is number => time !== null && time >= start && time < start + DAY_MS).sort((a, b) => a - b), [marks, start]);
  const at = player.at;
  const jumps = {
    previousVisit: at === null ? undefined : events.findLast((time) => time - 5_000 < at - 8_000),
    nextVisit: events.find((time) => at === null || time - 5_000 > at + 1_000),
    beforeGap: at === null || !day ? undefined : day.ranges.findLast((range) => range.to < at)?.to,
    afterGap: !day ? undefined : day.ranges.find((range) => at === null || range.from > at + 1_000)?.from,
  };
  const share = day ? day.coveredMs / Math.max(1, Math.min(day.to, Math.max(now, day.from + 1)) - day.from) : 0;

  return (
    <main className="page footage-page">
      <div className="toolbar">
        <select aria-label={t('cameras')} value={cameraId} onChange={(event) => go(footageAddress(event.target.value))}>
          {!camera && <option value={cameraId}>{cameraId}</option>}
          {live.cameras.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name} · {one.roadSection}
            </option>
          ))}
        </select>
        <span className="days">
          <button type="button" title={t('previousDay')} onClick={() => choose(start - DAY_MS)}>
            ‹
          </button>
          <input type="date" aria-label={t('day')} value={dayText(start)} max={dayText(now)} onChange={(event) => event.target.value !== '' && choose(Date.parse(`${event.target.value}T00:00:00+08:00`))} />
          <button type="button" title={t('nextDay')} disabled={start + DAY_MS > now} onClick={() => choose(start + DAY_MS)}>
            ›
          </button>
          <button type="button" onClick={() => choose(midnight(now))}>
            {t('today')}
          </button>
        </span>
        {day && (
          <span className="share">
            {t('coverage')} <b>{(Math.min(1, share) * 100).toFixed(1)}%</b> · {stay(day.coveredMs)} · {day.gaps.length} {t('gaps')}
          </span>
        )}
      </div>
      {problem !== null && <p className="troubles">{problem}</p>}
      <div className="split">
        <div>
          <section className="panel screen-panel">
            <div className="screen">
              <video ref={video} muted={muted} playsInline onClick={player.toggle} />
              {at !== null && (
                <time>
                  {dayText(at)} {clockTime(at)}
                </time>
              )}
              {player.converted && <span className="badge">{t('converted')}</span>}
              {player.problem !== null ? (
                <p className="said failed">
                  {t('playFailed')}：{'said' in player.problem ? player.problem.said : word(`trouble.${player.problem.known}`)}
                  {player.retrying && ` ${t('retrying')}`}
                </p>
              ) : (
                player.waiting && <p className="said">{t(player.converted ? 'converting' : 'loading')}</p>
              )}
              {at === null && player.problem === null && !player.waiting && <p className="said">{day && day.ranges.length === 0 ? t('noFootageDay') : t('pickMoment')}</p>}
            </div>
            <PlayerControls player={player} jumps={jumps} onJump={(time) => player.seek(time, true)} live={day?.ranges.at(-1)?.to ?? null} muted={muted} onMuted={setMuted} />
            {day && <CoverageTimeline day={day} view={view} marks={marks} berths={berths} at={at} selection={selection} now={now} onView={setView} onSeek={(time) => player.seek(time, true)} onSelect={setSelection} onVisit={(mark) => player.seek(mark.enteredAt - 5_000, true)} />}
          </section>
        </div>
        <div className="side">
          <ExportPanel cameraId={cameraId} at={at} day={start} selection={selection} onSelect={setSelection} />
          <section className="panel">
            <h3>{t('visitsOfDay')}</h3>
            {marks.length === 0 && <p className="quiet">{t('noVisitsDay')}</p>}
            <ul className="marks">
              {marks.map((mark) => (
                <li key={mark.uid}>
                  <span className={`plate ${mark.plateColour ?? 'unread'}`}>{mark.plate ?? word(`plate.${mark.plateStatus}`)}</span>
                  <span>{berths.find((berth) => berth.id === mark.berthId)?.number}</span>
                  <span className="jumps">
                    <button type="button" title={t('playEnter')} onClick={() => player.seek(mark.enteredAt - 5_000, true)}>
                      {t('entered')} {clockTime(mark.enteredAt)}
                    </button>
                    {mark.leftAt === null ? (
                      <em>{t('parked')}</em>
                    ) : (
                      <button type="button" title={t('playLeave')} onClick={() => player.seek((mark.leftAt ?? 0) - 5_000, true)}>
                        {t('left')} {clockTime(mark.leftAt)}
                      </button>
                    )}
                  </span>
                </li>
              ))}
            </ul>
          </section>
        </div>
      </div>
    </main>
  );
}

/** A day of a camera; read again while it is today, and after a failure. */
function useDay(cameraId: string, start: number, now: number): { day: FootageDay | null; marks: VisitMark[]; problem: string | null } {
  const [state, setState] = useState<{ day: FootageDay | null; marks: VisitMark[]; problem: string | null }>({ day: null, marks: [], problem: null });
  const today = now < start + DAY_MS + 60_000;
  useEffect(() => setState({ day: null, marks: [], problem: null }), [cameraId, start]);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (): Promise<void> => {
      let failed = false;
      try {
        const [day, marks] = await Promise.all([readDay(cameraId, start, start + DAY_MS, abort.signal), readMarks(cameraId, start, start + DAY_MS, abort.signal)]);
        if (abort.signal.aborted) return;
        setState({ day, marks, problem: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        failed = true;
        setState((before) => ({ ...before, problem: (error as Error).message }));
      }
      if (today || failed) timer = setTimeout(() => void read(), failed ? AGAIN_MS : REFRESH_MS);
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [cameraId, start, today]);
  return state;
}
