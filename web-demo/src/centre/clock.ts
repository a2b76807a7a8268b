// The gateway's clock as far as this browser can tell: its own clock may be minutes off.

export class ServerClock {
  private offset: number | undefined;

  /** A message that the gateway sent at `sent` came at `received`, both milliseconds since 1970. */
  heard(sent: number, received: number): void {
    if (!Number.isFinite(sent)) return;
    // A message is never early: the one that was quickest tells best. What is repeated after a cut is late and tells nothing.
    const offset = sent - received;
    if (this.offset === undefined || offset > this.offset) this.offset = offset;
  }

  /** Forgets what it knew: the browser's clock may have been set. */
  reset(): void {
    this.offset = undefined;
  }

  /** The gateway's time when this browser says `now`. */
  at(now: number): number {
    return now + (this.offset ?? 0);
  }
}

/** Seconds from `since` to `now`, never negative. */
export function secondsSince(since: string | null | undefined, now: number): number {
  const at = since ? Date.parse(since) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, (now - at) / 1000);
}

/** Whole seconds left until `until`, the last one counting as 1; 0 once it is over. */
export function secondsLeft(until: string | null | undefined, now: number): number {
  const at = until ? Date.parse(until) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, Math.ceil((at - now) / 1000));
}
