import type Hls from 'hls.js/light';
import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { playlistUrl, readLink, type FootageDay } from './footage-api.js';
import { currentToken } from './session.js';

export interface FootagePlayer {
  /** Wall clock of the picture that is shown, Unix ms; null before the first. */
  at: number | null;
  playing: boolean;
  waiting: boolean;
  /** Why nothing is shown, in the service's words; null where something is. */
  problem: string | null;
  /** The pictures are turned into H.264 for this browser. */
  converted: boolean;
  rate: number;
  /** Shows the picture of a moment, or the first one behind it. */
  seek(at: number, play: boolean): void;
  toggle(): void;
  step(frames: number): void;
  setRate(rate: number): void;
}

/** Footage before and behind the moment asked for that one playlist has: long enough to play on, short enough to load at once. */
const BEFORE_MS = 5 * 60_000;
const BEHIND_MS = 60 * 60_000;
const FRAME_S = 0.04;

interface Window {
  from: number;
  to: number;
  /** Where stretches of footage lie in the player's time. */
  stretches: { start: number; duration: number; at: number }[];
}

/** Plays the footage of one camera in a video element, by wall clock. */
export function useFootagePlayer(video: RefObject<HTMLVideoElement | null>, cameraId: string, day: FootageDay | null): FootagePlayer {
  const [state, setState] = useState<Pick<FootagePlayer, 'at' | 'playing' | 'waiting' | 'problem' | 'converted' | 'rate'>>({ at: null, playing: false, waiting: false, problem: null, converted: false, rate: 1 });
  const hls = useRef<Hls | null>(null);
  const window = useRef<Window | null>(null);
  const wanted = useRef<{ at: number; play: boolean } | null>(null);
  const days = useRef(day);
  days.current = day;
  const rate = useRef(1);
  const turn = useRef(0);
  const patch = useCallback((more: Partial<typeof state>) => setState((now) => ({ ...now, ...more })), []);

  const unload = useCallback(() => {
    turn.current++;
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
    patch({ problem: null });
    return true;
  }, [video, patch]);

  const load = useCallback(
    async (at: number) => {
      const element = video.current;
      if (!element) return;
      unload();
      const mine = turn.current;
      const own: Window = { from: at - BEFORE_MS, to: at + BEHIND_MS, stretches: [] };
      patch({ waiting: true, problem: null });
      const { default: HlsPlayer } = await import('hls.js/light');
      if (mine !== turn.current) return;
      window.current = own;
      if (!HlsPlayer.isSupported()) return void loadNative(element, own, mine);
      const range = days.current?.ranges.find((one) => one.to >= at);
      const format = days.current?.formats.find((one) => one.codec === range?.codec);
      const converted = range?.codec === 'h265' && !(format && MediaSource.isTypeSupported(format.mimeType));
      patch({ converted });
      const player = new HlsPlayer({
        enableWorker: false,
        autoStartLoad: false,
        startPosition: 0,
        maxBufferLength: 20,
        backBufferLength: 60,
        liveDurationInfinity: true,
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
      player.on(HlsPlayer.Events.ERROR, (_, error) => {
        if (error.response?.code === 503 || error.fatal) void explain(error.networkDetails as XMLHttpRequest | undefined, `${error.details}`).then((problem) => patch({ problem, waiting: false }));
      });
      player.loadSource(playlistUrl(cameraId, Math.round(own.from), Math.round(own.to), converted ? 'h264' : 'stored'));
      player.attachMedia(element);
    },
    [cameraId, patch, settle, unload, video],
  );

  /** Browsers without media sources play HLS themselves; they cannot send headers. */
  const loadNative = async (element: HTMLVideoElement, own: Window, mine: number): Promise<void> => {
    if (element.canPlayType('application/vnd.apple.mpegurl') === '') return patch({ problem: 'HLS', waiting: false });
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
      const own = window.current;
      const inside = own !== null && at >= own.from && at < own.to - 5_000;
      if (!inside || !settle()) void load(at);
    },
    [load, settle],
  );

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    const tick = (): void => {
      const at = clock();
      if (at !== null) patch({ at });
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
      ['playing', () => patch({ waiting: false, problem: null })],
      ['canplay', () => patch({ waiting: false })],
      ['ended', goOn],
    ];
    for (const [name, listener] of listeners) element.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of listeners) element.removeEventListener(name, listener);
    };
  }, [video, clock, patch, seek]);

  useEffect(() => {
    patch({ at: null, playing: false, waiting: false, problem: null, converted: false });
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

async function explain(request: XMLHttpRequest | undefined, otherwise: string): Promise<string> {
  const answer = request?.response as unknown;
  try {
    const text = typeof answer === 'string' ? answer : answer instanceof ArrayBuffer ? new TextDecoder().decode(answer) : '';
    return (JSON.parse(text) as { message?: string }).message ?? otherwise;
  } catch {
    return otherwise;
  }
}
