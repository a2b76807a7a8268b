// Figures as people read them.
export { clock, when } from "../recents";

import { clock } from "../recents";

/** Seconds as a wallboard shows them: "8 s", "1:20", "1:02:03". */
export function wait(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : clock(whole);
}

/** Seconds of work: "0 min", "42 min", "3 h 05". */
export function hours(seconds: number): string {
  const minutes = Math.floor(Math.max(0, seconds) / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** 0..1 as "93%"; a part that is not whole is never shown as 100 %. */
export function percent(part: number | null | undefined): string {
  if (part === null || part === undefined) return "\u2013";
  const whole = part >= 1 ? 100 : Math.min(99, Math.round(part * 100));
  return `${whole}%`;
}

/** "14:05" in the browser's time zone. */
export function timeOfDay(moment: string, locale?: string): string {
  return new Date(moment).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

/** A full hour under an axis: "14:00" or "2 PM", as short as the language has it. */
export function hourOfDay(at: number, locale?: string): string {
  const text = new Date(at).toLocaleTimeString(locale, { hour: "numeric" });
  return /^\d+$/.test(text) ? `${text}:00` : text;
}

/** Mean opinion score: "4.3". */
export function mos(value: number | null | undefined): string {
  return value === null || value === undefined ? "\u2013" : value.toFixed(1);
}
