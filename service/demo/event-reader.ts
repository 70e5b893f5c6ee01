import type { FeedItem } from '../live/feed.js';

/**
 * Reads the service's event stream for as long as the signal lets it, through restarts of the service. Each item comes once:
 * a service that starts anew numbers from 1, which is noticed by its start time.
 */
export async function readEvents(url: string, signal: AbortSignal, onItem: (item: FeedItem) => void): Promise<void> {
  let last = 0;
  let lastAt = 0;
  while (!signal.aborted) {
    try {
      const response = await fetch(`${url}/api/events?since=0`, { signal });
      if (!response.body) throw new Error('no body');
      let text = '';
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const data = /^data: (.*)$/m.exec(part)?.[1];
          if (data === undefined) continue;
          const item = JSON.parse(data) as FeedItem;
          if (item.at < lastAt || (item.at === lastAt && item.id <= last)) continue;
          last = item.id;
          lastAt = item.at;
          onItem(item);
        }
      }
    } catch {
      // Not there yet, or gone for a moment.
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
