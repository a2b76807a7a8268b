// Data of the day's charts: quarters of an hour from the API's numbers, and positions in the drawing.
import type { QueueNumbers } from "../centre/objects";

export interface Slot {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  entered: number;
  answered: number;
  abandoned: number;
  overflowed: number;
  /** 0..1; null while nothing counts, and for several queues together: the API tells it of each alone. */
  level: number | null;
}

const QUARTER_MS = 900_000;
/** A day that has just begun is shown with so much room before it. */
const LEAST_SLOTS = 16;

/** The slots of one queue, or of all together, from the first call on. */
export function slotsOf(numbers: readonly QueueNumbers[], queue: string, now: number): Slot[] {
  const slots = new Map<number, Slot>();
  for (const item of numbers) {
    if (queue !== "" && item.queue !== queue) continue;
    const from = Date.parse(item.from);
    if (from > now) continue;
    const slot = slots.get(from) ?? {
      from,
      to: Date.parse(item.to),
      entered: 0,
      answered: 0,
      abandoned: 0,
      overflowed: 0,
      level: null,
    };
    slot.entered += item.entered;
    slot.answered += item.answered;
    slot.abandoned += item.abandoned;
    slot.overflowed += item.overflowed;
    slot.level = queue === "" ? null : (item.service_level ?? null);
    slots.set(from, slot);
  }
  const all = [...slots.values()].sort((a, b) => a.from - b.from);
  const first = all.findIndex((slot) => isBusy(slot));
  if (first < 0) return [];
  return all.slice(Math.max(0, Math.min(first, all.length - LEAST_SLOTS)));
}

export function isBusy({ entered, answered, abandoned, overflowed }: Slot): boolean {
  return entered + answered + abandoned + overflowed > 0;
}

/** The ticks of an axis that holds a value: 1, 2 or 5 times a power of ten apart. */
export function axis(value: number, ticks = 4): number[] {
  const most = Math.max(1, value);
  const rough = most / ticks;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 10 * power);
  const list = [0];
  for (let at = step; at < most + step; at += step) list.push(at);
  return list;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Bar {
  slot: Slot;
  x: number;
  width: number;
  /** From the bottom up: where each part begins and how high it is. */
  parts: { name: "answered" | "abandoned" | "overflowed"; y: number; height: number }[];
  /** Positions of the calls that arrived. */
  entered: number;
}

/** Bars for slots; `top` is the value at the upper edge. */
export function bars(slots: readonly Slot[], box: Box, top: number): Bar[] {
  const step = box.width / Math.max(1, slots.length);
  const bottom = box.top + box.height;
  const gap = Math.min(3, step * 0.2);
  return slots.map((slot, n) => {
    let y = bottom;
    const parts = (["answered", "abandoned", "overflowed"] as const)
      .filter((name) => slot[name] > 0)
      .map((name) => {
        const height = (box.height * slot[name]) / top;
        y -= height;
        return { name, y, height };
      });
    const x = box.left + n * step + gap / 2;
    return { slot, x, width: step - gap, parts, entered: bottom - (box.height * slot.entered) / top };
  });
}

/** The service level as lines; a slot in which nothing counts interrupts them. */
export function levelLines(slots: readonly Slot[], box: Box): [x: number, y: number][][] {
  const step = box.width / Math.max(1, slots.length);
  const lines: [number, number][][] = [];
  let open: [number, number][] | undefined;
  for (const [n, { level }] of slots.entries()) {
    if (level === null) {
      open = undefined;
      continue;
    }
    if (!open) {
      open = [];
      lines.push(open);
    }
    open.push([box.left + (n + 0.5) * step, box.top + box.height * (1 - level)]);
  }
  return lines;
}

/** Full hours among the slots, as many as there is room for. */
export function hourMarks(slots: readonly Slot[], width: number, room = 48): { n: number; at: number }[] {
  const all = slots.map(({ from }, n) => ({ n, at: from })).filter(({ at }) => new Date(at).getMinutes() === 0);
  const step = width / Math.max(1, slots.length);
  const perHour = (step * 3_600_000) / QUARTER_MS;
  const every = [1, 2, 3, 4, 6, 12].find((hours) => hours * perHour >= room) ?? 24;
  return all.filter(({ at }) => new Date(at).getHours() % every === 0);
}
