// Alarms: queues that need attention.
import { secondsSince } from "../centre/clock";
import { clock, percent } from "../centre/format";
import type { Queue } from "../centre/objects";
import { W } from "./words";

export interface Alarm {
  kind: "waiting" | "oldest" | "level" | "unattended";
  text: string;
}

/** Limits that a queue exceeds at a moment. */
export function alarmsOf({ live, today, alarms, service_level_target_s: targetSeconds }: Queue, now: number): Alarm[] {
  const list: Alarm[] = [];
  if (alarms.waiting != null && live.waiting > alarms.waiting) {
    list.push({ kind: "waiting", text: W.alarm.waiting(live.waiting, alarms.waiting) });
  }
  if (alarms.oldest_s != null && live.oldest_since && secondsSince(live.oldest_since, now) > alarms.oldest_s) {
    list.push({ kind: "oldest", text: W.alarm.oldest(clock(alarms.oldest_s)) });
  }
  if (alarms.service_level != null && today.service_level != null && today.service_level < alarms.service_level) {
    list.push({ kind: "level", text: W.alarm.level(percent(alarms.service_level)) });
  }
  // Without a limit on waiting: several callers, or one for long, and no agent who could take them.
  const unlimited = alarms.waiting == null && alarms.oldest_s == null;
  const long = live.oldest_since != null && secondsSince(live.oldest_since, now) > targetSeconds;
  if (unlimited && live.agents_available === 0 && (live.waiting > 1 || (live.waiting === 1 && long))) {
    list.push({ kind: "unattended", text: W.alarm.unattended(live.waiting) });
  }
  return list;
}

/** The queue is beyond a limit of its own, not merely without a free agent. */
export function isGrave(alarms: readonly Alarm[]): boolean {
  return alarms.some(({ kind }) => kind !== "unattended");
}
