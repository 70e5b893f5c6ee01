import { useEffect, useState } from 'react';
import { get, withToken, type CameraState, type FeedItem, type Status, type VisitState } from './api.js';

export interface Live {
  cameras: CameraState[];
  visits: VisitState[];
  status: Status | null;
  events: FeedItem[];
  /** Why nothing new comes; null while it does. */
  broken: string | null;
}

/** Small streets are looked at closely; hundreds of cameras are a megabyte an answer. */
const refreshMs = (cameras: number): { idle: number; busy: number } => (cameras <= 50 ? { idle: 2_000, busy: 250 } : { idle: 5_000, busy: 3_000 });
const KEPT_EVENTS = 100;

/** The state of the service: polled every few seconds, and soon when the event stream says that something happened. */
export function useLive(): Live {
  const [live, setLive] = useState<Live>({ cameras: [], visits: [], status: null, events: [], broken: null });
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let running = false;
    let again = false;
    let pace = refreshMs(0);
    let endedAt = 0;

    let stream: EventSource | null = null;
    // Opened after the first answer, when a token that was needed is known; a stream that was refused is opened anew.
    const listen = (): void => {
      if (abort.signal.aborted || (stream && stream.readyState !== EventSource.CLOSED)) return;
      stream = new EventSource(withToken('/api/events?since=0'));
      stream.onmessage = (message) => {
        const item = JSON.parse(message.data as string) as FeedItem;
        setLive((now) => (now.events.some((known) => known.id === item.id && known.at === item.at) ? now : { ...now, events: [item, ...now.events].slice(0, KEPT_EVENTS) }));
        soon();
      };
    };
    // Events of a busy street come by the second: they hasten the next look, they do not each make one.
    const soon = (): void => {
      if (running) {
        again = true;
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(() => void refresh(), Math.max(0, endedAt + pace.busy - Date.now()));
    };

    const refresh = async (): Promise<void> => {
      if (running) return;
      running = true;
      clearTimeout(timer);
      try {
        const [cameras, visits, status] = await Promise.all([
          get<CameraState[]>('/api/cameras', abort.signal),
          get<VisitState[]>('/api/visits?limit=100', abort.signal),
          get<Status>('/api/status', abort.signal),
        ]);
        setLive((now) => ({ ...now, cameras, visits, status, broken: null }));
        pace = refreshMs(cameras.length);
        listen();
      } catch (error) {
        if (abort.signal.aborted) return;
        setLive((now) => ({ ...now, broken: (error as Error).message }));
      }
      running = false;
      endedAt = Date.now();
      timer = setTimeout(() => void refresh(), again ? pace.busy : pace.idle);
      again = false;
    };

    void refresh();
    return () => {
      abort.abort();
      clearTimeout(timer);
      stream?.close();
    };
  }, []);
  return live;
}
