import { useEffect, useRef, useState, type PointerEvent as ReactPointerEvent } from 'react';
import type { FootageDay, FootageGap, VisitMark } from '../footage-api.js';
import { clockTime, stay } from '../format.js';
import { useTexts } from './language.js';

export interface Span {
  from: number;
  to: number;
}

interface Props {
  day: FootageDay;
  view: Span;
  marks: VisitMark[];
  /** Berths that have a lane, in order. */
  berths: { id: string; number: string }[];
  at: number | null;
  selection: Span | null;
  now: number;
  onView: (view: Span) => void;
  onSeek: (at: number) => void;
  onSelect: (selection: Span) => void;
  onVisit: (mark: VisitMark) => void;
}

const STEPS_MIN = [1, 2, 5, 10, 30, 60, 120, 180, 360];
const BAR_TOP = 22;
const BAR = 22;
const LANE = 20;
const SHORTEST_MS = 2 * 60_000;

/** What there is of a day: footage, gaps with their reasons, and who stood where. A click plays there; shift and drag selects. */
export function CoverageTimeline({ day, view, marks, berths, at, selection, now, onView, onSeek, onSelect, onVisit }: Props) {
  const { t, word } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  const [hover, setHover] = useState<number | null>(null);
  const drag = useRef<{ x: number; view: Span; moved: boolean; select: number | null } | null>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const length = view.to - view.from;
  const x = (time: number): number => ((time - view.from) / length) * width;
  const timeAt = (clientX: number): number => view.from + ((clientX - (box.current?.getBoundingClientRect().left ?? 0)) / width) * length;
  const inView = (from: number, to: number): boolean => to > view.from && from < view.to;
  const bar = (from: number, to: number) => ({ x: Math.max(-2, x(from)), width: Math.max(1.5, Math.min(width + 2, x(to)) - Math.max(-2, x(from))) });
  const step = (STEPS_MIN.find((minutes) => (minutes * 60_000 * width) / length >= 64) ?? 360) * 60_000;
  const ticks: number[] = [];
  for (let time = Math.ceil((view.from - day.from) / step) * step + day.from; time < view.to; time += step) ticks.push(time);
  const height = BAR_TOP + BAR + 8 + berths.length * LANE;
  const gapAt = (time: number): FootageGap | undefined => day.gaps.find((gap) => time >= gap.from && time <= (gap.to ?? now));
  const hovered = hover === null ? undefined : gapAt(hover);
  const reason = (gap: FootageGap): string => gap.reason.split('; ').map((part) => word(`gapwhy.${part}`)).join('；');

  const zoom = (factor: number, around: number): void => {
    const next = Math.max(SHORTEST_MS, Math.min(day.to - day.from, length * factor));
    const from = Math.max(day.from, Math.min(day.to - next, around - ((around - view.from) / length) * next));
    onView({ from, to: from + next });
  };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    // React listens passively, and the page must not scroll meanwhile.
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) < Math.abs(event.deltaY) && !event.altKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.clientX));
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  });

  const down = (event: ReactPointerEvent): void => {
    drag.current = { x: event.clientX, view, moved: false, select: event.shiftKey ? timeAt(event.clientX) : null };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event: ReactPointerEvent): void => {
    setHover(timeAt(event.clientX));
    const held = drag.current;
    if (!held) return;
    if (Math.abs(event.clientX - held.x) > 4) held.moved = true;
    if (!held.moved) return;
    if (held.select !== null) return onSelect({ from: Math.min(held.select, timeAt(event.clientX)), to: Math.max(held.select, timeAt(event.clientX)) });
    const shift = ((held.x - event.clientX) / width) * length;
    const from = Math.max(day.from, Math.min(day.to - length, held.view.from + shift));
    onView({ from, to: from + length });
  };
  const up = (event: ReactPointerEvent): void => {
    const held = drag.current;
    drag.current = null;
    if (held && !held.moved) onSeek(timeAt(event.clientX));
  };

  return (
    <div className="timeline">
      <div className="timeline-box" ref={box} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerLeave={() => setHover(null)} role="slider" aria-label={t('footage')} aria-valuemin={day.from} aria-valuemax={day.to} aria-valuenow={at ?? day.from} tabIndex={-1}>
        <svg width={width} height={height}>
          <defs>
            <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="6" height="6" fill="#f7d9d4" />
              <rect width="2" height="6" fill="#e2a79d" />
            </pattern>
          </defs>
          <rect x="0" y={BAR_TOP} width={width} height={BAR} className="track" />
          {ticks.map((time) => (
            <g key={time} className="tick">
              <line x1={x(time)} x2={x(time)} y1="16" y2={height} />
              <text x={x(time) + 3} y="13">
                {clockTime(time).slice(0, step < 60_000 ? 8 : 5)}
              </text>
            </g>
          ))}
          {day.ranges.filter((range) => inView(range.from, range.to)).map((range) => (
            <rect key={`${range.from} ${range.codec}`} {...bar(range.from, range.to)} y={BAR_TOP} height={BAR} className={`range ${range.codec}`} />
          ))}
          {day.gaps.filter((gap) => inView(gap.from, gap.to ?? now)).map((gap) => (
            <rect key={gap.from} {...bar(gap.from, Math.min(gap.to ?? now, day.to))} y={BAR_TOP} height={BAR} fill="url(#hatch)" className="gap" />
          ))}
          {selection && inView(selection.from, selection.to) && <rect {...bar(selection.from, selection.to)} y={BAR_TOP - 4} height={BAR + 8} className="selection" />}
          {marks.filter((mark) => inView(mark.enteredAt, mark.leftAt ?? now)).map((mark) => {
            const lane = berths.findIndex((berth) => berth.id === mark.berthId);
            if (lane < 0) return null;
            const place = bar(mark.enteredAt, mark.leftAt ?? now);
            const name = mark.plate ?? word(`plate.${mark.plateStatus}`);
            return (
              <g key={mark.uid} className={`stay ${mark.leftAt === null ? 'open' : ''}`} onPointerDown={(event) => event.stopPropagation()} onPointerUp={(event) => event.stopPropagation()} onClick={() => onVisit(mark)}>
                <title>{`${name} ${clockTime(mark.enteredAt)} – ${mark.leftAt === null ? '' : clockTime(mark.leftAt)}`}</title>
                <rect {...place} y={BAR_TOP + BAR + 10 + lane * LANE} height={LANE - 4} rx="3" />
                {place.width > 64 && (
                  <text x={place.x + 6 + (place.x < 30 ? 30 : 0)} y={BAR_TOP + BAR + 8 + lane * LANE + 14}>
                    {name}
                  </text>
                )}
              </g>
            );
          })}
          {berths.map((berth, i) => (
            <g key={berth.id} className="lane">
              <line x1="0" x2={width} y1={BAR_TOP + BAR + 8 + (i + 1) * LANE} y2={BAR_TOP + BAR + 8 + (i + 1) * LANE} />
              <text x="4" y={BAR_TOP + BAR + 8 + i * LANE + 14}>
                {berth.number}
              </text>
            </g>
          ))}
          {now > view.from && now < view.to && <line x1={x(now)} x2={x(now)} y1={BAR_TOP - 4} y2={height} className="now" />}
          {hover !== null && <line x1={x(hover)} x2={x(hover)} y1={BAR_TOP - 6} y2={height} className="hover" />}
          {at !== null && at >= view.from && at <= view.to && (
            <g className="head" transform={`translate(${x(at)} 0)`}>
              <line y1={BAR_TOP - 6} y2={height} />
              <path d={`M-6 ${BAR_TOP - 12} h12 v5 l-6 6 l-6 -6 z`} />
            </g>
          )}
        </svg>
        {hover !== null && (
          <div className="tip" style={{ left: Math.max(70, Math.min(width - 70, x(hover))) }}>
            <b>{clockTime(hover)}</b>
            {hovered && (
              <span>
                {t('gap')} {stay((hovered.to ?? now) - hovered.from)}：{reason(hovered)}
              </span>
            )}
          </div>
        )}
      </div>
      <div className="zoom">
        <button type="button" title={t('zoomIn')} onClick={() => zoom(0.4, at ?? (view.from + view.to) / 2)}>
          ＋
        </button>
        <button type="button" title={t('zoomOut')} onClick={() => zoom(2.5, at ?? (view.from + view.to) / 2)}>
          －
        </button>
        <button type="button" onClick={() => onView({ from: day.from, to: day.to })}>
          {t('wholeDay')}
        </button>
        <small>
          {clockTime(view.from).slice(0, 5)} – {view.to === day.to ? '24:00' : clockTime(view.to).slice(0, 5)}
        </small>
      </div>
    </div>
  );
}
