import type Hls from 'hls.js/light';
import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { playlistUrl, readLink, type FootageDay } from './footage-api.js';
import { pauseBefore, troubleOf, type Failure, type Trouble } from './footage-trouble.js';
import { windowAround, type FootageWindow } from './footage-window.js';
import { currentToken } from './session.js';

export interface FootagePlayer {
  /** Wall clock of the picture that is shown, Unix ms; null before the first. */
  at: number | null;
  playing: boolean;
  waiting: boolean;
  /** Why nothing is shown; null where something is. */
  problem: Trouble | null;
  /** What went wrong is tried again by itself. */
  retrying: boolean;
  /** The pictures are turned into H.264 for this browser. */
  converted: boolean;
  rate: number;
  /** Shows the picture of a moment, or the first one behind it. */
  seek(at: number, play: boolean): void;
  toggle(): void;
  step(frames: number): void;
  setRate(rate: number): void;
}

const FRAME_S = 0.04;
const NOTHING = { at: null, playing: false, waiting: false, problem: null, retrying: false, converted: false };
/** Shown again: what was wrong is over. */
const WELL = { problem: null, retrying: false };
/** A piece that must be turned into H.264 waits its turn, and is only sent when it is whole. */
const FIRST_BYTE_MS = { stored: 20_000, converted: 90_000 };

interface Window extends FootageWindow {
  /** Where stretches of footage lie in the player's time. */
  stretches: { start: number; duration: number; at: number }[];
}

/** Plays the footage of one camera in a video element, by wall clock. */
export function useFootagePlayer(video: RefObject<HTMLVideoElement | null>, cameraId: string, day: FootageDay | null): FootagePlayer {
  const [state, setState] = useState<Pick<FootagePlayer, 'at' | 'playing' | 'waiting' | 'problem' | 'retrying' | 'converted' | 'rate'>>({ ...NOTHING, rate: 1 });
  const hls = useRef<Hls | null>(null);
  const window = useRef<Window | null>(null);
  const wanted = useRef<{ at: number; play: boolean } | null>(null);
  const days = useRef(day);
  days.current = day;
  const rate = useRef(1);
  const turn = useRef(0);
  /** Tries since something was shown last, and where they failed. */
  const tries = useRef<{ count: number; at: number; timer: ReturnType<typeof setTimeout> | undefined }>({ count: 0, at: 0, timer: undefined });
  /** The browser could not play what it had said it could. */
  const convertAll = useRef(false);
  /** The player gave up: where it is put does not matter. */
  const dead = useRef(false);
  const patch = useCallback((more: Partial<typeof state>) => setState((now) => ({ ...now, ...more })), []);

  const unload = useCallback(() => {
    turn.current++;
    clearTimeout(tries.current.timer);
    dead.current = false;
    hls.current?.destroy();
    hls.current = null;
    window.current = null;
  }, []);

  const clock = useCallback((): number | null => {
    const element = video.current;
    if (!element) return null;
    const stretch = window.current?.stretches.findLast(({ start }) => start <= element.currentTime + 0.001);
    return stretch ? stretch.at + (element.currentTime - stretch.start) * 1000 : null;
  }, [video]);

  /** Puts the player on the moment that is wanted, where the loaded playlist has it. */
  const settle = useCallback((): boolean => {
    const element = video.current;
    const goal = wanted.current;
    const stretches = window.current?.stretches ?? [];
    if (!element || !goal || stretches.length === 0) return false;
    const stretch = stretches.find(({ at, duration }) => goal.at < at + duration * 1000);
    if (!stretch) return false;
    wanted.current = null;
    element.currentTime = stretch.start + Math.max(0, (goal.at - stretch.at) / 1000) + 0.002;
    element.playbackRate = rate.current;
    if (goal.play) void element.play().catch(() => undefined);
    return true;
  }, [video]);

  const load = useCallback(
    async (at: number) => {
      const element = video.current;
      const known = days.current;
      unload();
      patch({ waiting: true });
      // Once the day is known the moment is loaded (see the effect): how its pictures are coded must not be guessed.
      if (!element || !known) return;
      const mine = turn.current;

      /** Says what is wrong and, where that may help, loads what should be shown anew after a pause. */
      const failed = (failure: Failure): void => {
        const { count } = tries.current;
        dead.current = true;
        const pause = pauseBefore(count, failure);
        patch({ problem: troubleOf(failure), retrying: pause !== null, waiting: false });
        if (pause === null) return;
        clearTimeout(tries.current.timer);
        const timer = setTimeout(() => {
          const goal = wanted.current ?? { at: clock() ?? at, play: !element.paused };
          wanted.current = goal;
          void load(goal.at);
        }, pause);
        tries.current = { count: count + 1, at: wanted.current?.at ?? clock() ?? at, timer };
      };

      let HlsPlayer: typeof Hls;
      try {
        HlsPlayer = (await import('hls.js/light')).default;
      } catch {
        if (mine === turn.current) failed({ type: 'networkError', details: 'player', status: 0, answer: null });
        return;
      }
      if (mine !== turn.current) return;
      const supported = HlsPlayer.isSupported();
      const own: Window = { ...windowAround(known, at, (mimeType) => supported && !convertAll.current && (HlsPlayer.getMediaSource()?.isTypeSupported(mimeType) ?? false)), stretches: [] };
      window.current = own;
      if (!supported) return void loadNative(element, own, mine);
      patch({ converted: own.converted });
      const player = new HlsPlayer({
        enableWorker: false,
        autoStartLoad: false,
        startPosition: 0,
        maxBufferLength: 20,
        backBufferLength: 60,
        liveDurationInfinity: true,
        fragLoadPolicy: {
          default: {
            maxTimeToFirstByteMs: own.converted ? FIRST_BYTE_MS.converted : FIRST_BYTE_MS.stored,
            maxLoadTimeMs: 120_000,
            timeoutRetry: { maxNumRetry: 1, retryDelayMs: 0, maxRetryDelayMs: 0 },
            errorRetry: { maxNumRetry: 3, retryDelayMs: 1_000, maxRetryDelayMs: 8_000 },
          },
        },
        xhrSetup: (request) => {
          const token = currentToken();
          if (token !== null) request.setRequestHeader('authorization', `Bearer ${token}`);
        },
      });
      hls.current = player;
      player.on(HlsPlayer.Events.LEVEL_UPDATED, (_, { details }) => {
        const first = own.stretches.length === 0;
        own.stretches = details.fragments.map((fragment) => ({ start: fragment.start, duration: fragment.duration, at: fragment.programDateTime ?? 0 }));
        if (!first) return;
        const goal = wanted.current;
        const stretch = own.stretches.find((one) => goal !== null && goal.at < one.at + one.duration * 1000);
        player.startLoad(stretch ? stretch.start + Math.max(0, ((goal?.at ?? 0) - stretch.at) / 1000) : 0);
        if (!settle()) patch({ waiting: false });
      });
      player.on(HlsPlayer.Events.FRAG_BUFFERED, () => patch(WELL));
      player.on(HlsPlayer.Events.ERROR, (_, error) => {
        const failure: Failure = { type: error.type, details: error.details, status: error.response?.code, answer: (error.networkDetails as XMLHttpRequest | undefined)?.response };
        if (error.fatal) {
          if (failure.type === 'mediaError' && !own.converted && known.ranges.some(({ codec }) => codec === 'h265')) convertAll.current = true;
          failed(failure);
        } else if (failure.status === 503) {
          // It is asked for again by itself; whoever waits for it is told why.
          patch({ problem: troubleOf(failure), retrying: true, waiting: false });
        }
      });
      player.loadSource(playlistUrl(cameraId, Math.round(own.from), Math.round(own.to), own.converted ? 'h264' : 'stored'));
      player.attachMedia(element);
    },
    [cameraId, clock, patch, settle, unload, video],
  );

  /** Browsers without media sources play HLS themselves; they cannot send headers. */
  const loadNative = async (element: HTMLVideoElement, own: Window, mine: number): Promise<void> => {
    if (element.canPlayType('application/vnd.apple.mpegurl') === '') return patch({ problem: { known: 'cannotPlay' }, waiting: false });
    const { playlist } = await readLink(cameraId, Math.round(own.from), Math.round(own.to));
    if (mine !== turn.current) return;
    element.src = playlist;
    element.onloadedmetadata = () => {
      const start = (element as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.().getTime() ?? own.from;
      own.stretches = [{ start: 0, duration: element.duration, at: start }];
      settle();
    };
  };

  const seek = useCallback(
    (at: number, play: boolean) => {
      wanted.current = { at, play };
      tries.current.count = 0;
      patch(WELL);
      const own = window.current;
      const inside = own !== null && at >= own.from && at < own.to - 5_000;
      if (dead.current || !inside || !settle()) void load(at);
    },
    [load, patch, settle],
  );

  useEffect(() => {
    if (day !== null && window.current === null && hls.current === null && wanted.current !== null) void load(wanted.current.at);
  }, [day, load]);

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    const tick = (): void => {
      const at = clock();
      if (at === null) return;
      patch({ at });
      if (at > tries.current.at + 1_000) tries.current.count = 0;
    };
    const goOn = (): void => {
      const last = window.current?.stretches.at(-1);
      const next = last && days.current?.ranges.find((range) => range.to > last.at + last.duration * 1000 + 1_000);
      if (last && next) seek(Math.max(next.from, last.at + last.duration * 1000), true);
    };
    const listeners: [string, () => void][] = [
      ['timeupdate', tick],
      ['seeked', tick],
      ['play', () => patch({ playing: true })],
      ['pause', () => patch({ playing: false })],
      ['waiting', () => patch({ waiting: true })],
      ['playing', () => patch({ waiting: false, ...WELL })],
      ['canplay', () => patch({ waiting: false })],
      ['ended', goOn],
    ];
    for (const [name, listener] of listeners) element.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of listeners) element.removeEventListener(name, listener);
    };
  }, [video, clock, patch, seek]);

  useEffect(() => {
    patch(NOTHING);
    return unload;
  }, [cameraId, patch, unload]);

  return {
    ...state,
    seek,
    toggle: () => {
      const element = video.current;
      if (!element) return;
      if (element.paused) void element.play().catch(() => undefined);
      else element.pause();
    },
    step: (frames) => {
      const element = video.current;
      if (!element) return;
      element.pause();
      element.currentTime = Math.max(0, element.currentTime + frames * FRAME_S);
    },
    setRate: (next) => {
      rate.current = next;
      if (video.current) video.current.playbackRate = next;
      patch({ rate: next });
    },
  };
}
