import { useEffect, useState } from 'react';

/** The service's time as far as the browser can tell, ticking each second: the service says its own with each status. */
export function useNow(serviceNow: number | null): number {
  const [offset, setOffset] = useState(0);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (serviceNow !== null) setOffset(serviceNow - Date.now());
  }, [serviceNow]);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now + offset;
}
