import { useCallback, useEffect, useState } from 'react';
import { get } from './api.js';

/** An answer of the API, read again every `everyMs`; the last one stays while a reading fails, with what went wrong. */
export function useRead<T>(path: string, everyMs: number): { value: T | null; problem: Error | null; refresh: () => void } {
  const [state, setState] = useState<{ path: string; value: T | null; problem: Error | null }>({ path, value: null, problem: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (): Promise<void> => {
      try {
        const value = await get<T>(path, abort.signal);
        if (!abort.signal.aborted) setState({ path, value, problem: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((before) => ({ path, value: before.path === path ? before.value : null, problem: error as Error }));
      }
      timer = setTimeout(() => void read(), everyMs);
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  return { value: state.path === path ? state.value : null, problem: state.problem, refresh: useCallback(() => setTurn((now) => now + 1), []) };
}
