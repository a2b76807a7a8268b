import { useEffect, useState } from "preact/hooks";

/** The time, anew every `ms`; only what uses it is drawn again. */
export function useNow(ms: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}
