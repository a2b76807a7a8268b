// The list of calls made, taken and missed, newest first.

export interface Recent {
  /** Number to dial to call again. */
  peer: string;
  name: string;
  direction: "in" | "out";
  /** Milliseconds since 1970. */
  at: number;
  /** Seconds spoken; 0 where nobody answered. */
  seconds: number;
  /** Empty where it was answered: "busy", "missed". */
  outcome: string;
}

const KEEP = 20;

export function withRecent(list: readonly Recent[], entry: Recent): Recent[] {
  return [entry, ...list].slice(0, KEEP);
}

/** Reads what an earlier visit left, whatever is in there. */
export function parseRecents(text: string | null): Recent[] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list.filter(isRecent).slice(0, KEEP) : [];
  } catch {
    return [];
  }
}

function isRecent(value: unknown): value is Recent {
  const entry = value as Recent;
  return (
    typeof entry === "object" &&
    entry !== null &&
    typeof entry.peer === "string" &&
    typeof entry.name === "string" &&
    (entry.direction === "in" || entry.direction === "out") &&
    typeof entry.at === "number" &&
    typeof entry.seconds === "number" &&
    typeof entry.outcome === "string"
  );
}

/** 65 -> "1:05", 3700 -> "1:01:40". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** "just now", "5 min ago", "14:02" today, else the date. */
export function when(at: number, now: number, locale?: string): string {
  const age = now - at;
  if (age < 60_000) return "just now";
  if (age < 3_600_000) return `${Math.floor(age / 60_000)} min ago`;
  const then = new Date(at);
  return then.toDateString() === new Date(now).toDateString()
    ? then.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" })
    : then.toLocaleDateString(locale, { day: "numeric", month: "short" });
}
