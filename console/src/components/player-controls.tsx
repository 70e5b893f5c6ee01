import type { FootagePlayer } from '../use-footage-player.js';
import { useTexts } from './language.js';

const RATES = [0.25, 0.5, 1, 2, 4, 8];

interface Jumps {
  previousVisit: number | undefined;
  nextVisit: number | undefined;
  beforeGap: number | undefined;
  afterGap: number | undefined;
}

/** Buttons below the picture. */
export function PlayerControls({ player, jumps, onJump, live, muted, onMuted }: { player: FootagePlayer; jumps: Jumps; onJump: (at: number) => void; live: number | null; muted: boolean; onMuted: (muted: boolean) => void }) {
  const { t } = useTexts();
  const { at } = player;
  const jump = (label: string, title: string, time: number | undefined) => (
    <button type="button" title={title} aria-label={title} disabled={time === undefined} onClick={() => time !== undefined && onJump(time)}>
      {label}
    </button>
  );
  return (
    <div className="controls">
      <span>
        {jump('−10s', t('back10'), at === null ? undefined : at - 10_000)}
        <button type="button" title={t('frameBack')} aria-label={t('frameBack')} disabled={at === null} onClick={() => player.step(-1)}>
          ◂❙
        </button>
        <button type="button" className="primary" title={player.playing ? t('pause') : t('play')} aria-label={player.playing ? t('pause') : t('play')} disabled={at === null} onClick={player.toggle}>
          {player.playing ? '❚❚' : '▶'}
        </button>
        <button type="button" title={t('frameForward')} aria-label={t('frameForward')} disabled={at === null} onClick={() => player.step(1)}>
          ❙▸
        </button>
        {jump('+10s', t('forward10'), at === null ? undefined : at + 10_000)}
      </span>
      <span>
        {jump(`⇤ ${t('visitMark')}`, t('previousVisit'), jumps.previousVisit === undefined ? undefined : jumps.previousVisit - 5_000)}
        {jump(`${t('visitMark')} ⇥`, t('nextVisit'), jumps.nextVisit === undefined ? undefined : jumps.nextVisit - 5_000)}
        {jump(`⇤ ${t('gap')}`, t('beforeGap'), jumps.beforeGap === undefined ? undefined : jumps.beforeGap - 5_000)}
        {jump(`${t('gap')} ⇥`, t('afterGap'), jumps.afterGap)}
      </span>
      <span>
        <label>
          {t('speed')}{' '}
          <select value={player.rate} onChange={(event) => player.setRate(Number(event.target.value))}>
            {RATES.map((rate) => (
              <option key={rate} value={rate}>
                {rate}×
              </option>
            ))}
          </select>
        </label>
        <button type="button" aria-pressed={!muted} title={t('sound')} onClick={() => onMuted(!muted)}>
          {muted ? t('soundOff') : t('soundOn')}
        </button>
        {jump(t('liveEdge'), t('liveEdge'), live === null ? undefined : live - 15_000)}
      </span>
    </div>
  );
}
