// When a queue needs somebody to look.
import { secondsSince } from "../centre/clock";
import { clock, percent } from "../centre/format";
import type { Queue } from "../centre/objects";
import { W } from "./words";

export interface Alarm {
  kind: "waiting" | "oldest" | "level";
  text: string;
}

/** What of a queue is beyond its limits at a moment. */
export function alarmsOf({ live, today, alarms }: Queue, now: number): Alarm[] {
  const list: Alarm[] = [];
  if (alarms.waiting !== null && live.waiting > alarms.waiting) {
    list.push({ kind: "waiting", text: W.alarm.waiting(live.waiting, alarms.waiting) });
  }
  if (alarms.oldest_s !== null && live.oldest_since && secondsSince(live.oldest_since, now) > alarms.oldest_s) {
    list.push({ kind: "oldest", text: W.alarm.oldest(clock(alarms.oldest_s)) });
  }
  if (alarms.service_level !== null && today.service_level !== null && today.service_level < alarms.service_level) {
    list.push({ kind: "level", text: W.alarm.level(percent(alarms.service_level)) });
  }
  return list;
}
