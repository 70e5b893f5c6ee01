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

const REFRESH_MS = 2_000;
const KEPT_EVENTS = 100;

/** The state of the service: polled every two seconds, and at once when the event stream says that something happened. */
export function useLive(): Live {
  const [live, setLive] = useState<Live>({ cameras: [], visits: [], status: null, events: [], broken: null });
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let running = false;
    let again = false;

    let stream: EventSource | null = null;
    // Opened after the first answer, when a token that was needed is known; a stream that was refused is opened anew.
    const listen = (): void => {
      if (abort.signal.aborted || (stream && stream.readyState !== EventSource.CLOSED)) return;
      stream = new EventSource(withToken('/api/events?since=0'));
      stream.onmessage = (message) => {
        const item = JSON.parse(message.data as string) as FeedItem;
        setLive((now) => (now.events.some((known) => known.id === item.id && known.at === item.at) ? now : { ...now, events: [item, ...now.events].slice(0, KEPT_EVENTS) }));
        void refresh();
      };
    };

    const refresh = async (): Promise<void> => {
      if (running) {
        again = true;
        return;
      }
      running = true;
      clearTimeout(timer);
      try {
        const [cameras, visits, status] = await Promise.all([
          get<CameraState[]>('/api/cameras', abort.signal),
          get<VisitState[]>('/api/visits?limit=100', abort.signal),
          get<Status>('/api/status', abort.signal),
        ]);
        setLive((now) => ({ ...now, cameras, visits, status, broken: null }));
        listen();
      } catch (error) {
        if (abort.signal.aborted) return;
        setLive((now) => ({ ...now, broken: (error as Error).message }));
      }
      running = false;
      timer = setTimeout(() => void refresh(), again ? 250 : REFRESH_MS);
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
