import type { CameraState, FeedItem } from '../api.js';
import { clockTime } from '../format.js';
import { useTexts } from './language.js';

/** What happened, newest first. */
export function EventList({ events, cameras }: { events: FeedItem[]; cameras: CameraState[] }) {
  const { t, word } = useTexts();
  const numberOf = new Map(cameras.flatMap((camera) => camera.berths.map((berth) => [berth.id, berth.number] as const)));
  return (
    <div className="events">
      <h2>{t('events')}</h2>
      {events.length === 0 && <p className="empty">{t('noEvents')}</p>}
      <ol>
        {events.map((event) => (
          <li key={`${event.at}-${event.id}`} className={event.type}>
            <time>{clockTime(event.at)}</time> <b>{word(`feed.${event.type}`)}</b> {describe(event, numberOf, word)}
          </li>
        ))}
      </ol>
    </div>
  );
}

function describe(event: FeedItem, numberOf: Map<string, string>, word: (key: string) => string): string {
  const { data } = event;
  const parts: string[] = [];
  for (const [key, value] of Object.entries(data)) {
    if (value === null || value === '') continue;
    if (key === 'berthId') parts.push(numberOf.get(String(value)) ?? String(value));
    else if (key === 'state') parts.push(word(`berth.${String(value)}`));
    else if (key === 'kind') parts.push(word(`kind.${String(value)}`));
    else if (key === 'attempts') parts.push(...(Number(value) > 1 ? [`×${String(value)}`] : []));
    // A picture's name repeats the uid before its number.
    else if (key === 'name') parts.push(String(value).replace(/^.*-|\.jpg$/g, ''));
    else parts.push(String(value));
  }
  return parts.join(' · ');
}
