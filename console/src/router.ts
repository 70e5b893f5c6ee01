import { useSyncExternalStore } from 'react';

/** Where the console is: what stands behind `#` in the address. `#/cameras/cam-1?t=5` is path ['cameras', 'cam-1'], query t=5. */
export interface Route {
  path: readonly string[];
  query: URLSearchParams;
}

/** A part that is no percent-encoding (somebody typed it) stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parseHash(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter((part) => part !== '').map(decoded), query: new URLSearchParams(query) };
}

/** An address in the console: `to('cameras', id)`, for `href` and for `go`. */
export function to(...path: string[]): string {
  return `#/${path.map(encodeURIComponent).join('/')}`;
}

export function go(address: string): void {
  location.hash = address;
}

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

/** The route, followed as it changes. */
export function useRoute(): Route {
  return parseHash(useSyncExternalStore(subscribe, () => location.hash));
}
