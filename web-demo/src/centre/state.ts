// The call centre as signals: what the pages draw.
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { ServerClock } from "./clock";
import type { Step } from "./feed";
import type { CallRecord, CentreEvent } from "./objects";
import { applyEvent, emptyPicture, PARTS, type Part, type Picture, pictureOf } from "./picture";

const clock = new ServerClock();
let picture: Picture = emptyPicture();
const dirty = new Set<Part>();
let drawing: ReturnType<typeof setTimeout> | undefined;
let drawn = 0;

/** True once a snapshot has come. */
export const known = signal(false);
const parts: { [P in Part]: Signal<Picture[P]> } = {
  agents: signal(picture.agents),
  queues: signal(picture.queues),
  calls: signal(picture.calls),
  offers: signal(picture.offers),
};
export const agents: ReadonlySignal<Picture["agents"]> = parts.agents;
export const queues: ReadonlySignal<Picture["queues"]> = parts.queues;
export const calls: ReadonlySignal<Picture["calls"]> = parts.calls;
export const offers: ReadonlySignal<Picture["offers"]> = parts.offers;

/** Milliseconds since 1970 by the gateway's clock, changed twice a second. */
export const now = signal(Date.now());

/** Takes a step of the stream; `ended` hears of calls that are over, `other` of what is not drawn. */
export function take(step: Step, ended: (record: CallRecord) => void, other?: (event: CentreEvent) => void): void {
  if (step.time) clock.heard(Date.parse(step.time), Date.now());
  if (step.snapshot) {
    picture = pictureOf(step.snapshot);
    for (const part of PARTS) dirty.add(part);
    batch(() => {
      tick();
      draw();
      known.value = true;
    });
  }
  if (!step.event) return;
  const { part, ended: record } = applyEvent(picture, step.event);
  if (part) {
    dirty.add(part);
    // Changes about the agent are shown at once; others as often as an eye can follow.
    if (part === "offers" || document.hidden || isOwn(step.event)) draw();
    else drawSoon();
  } else {
    other?.(step.event);
  }
  if (record) ended(record);
}

function isOwn(event: CentreEvent): boolean {
  const me = picture.me?.id;
  if (event.type === "agent.changed") return event.data.id === me;
  if (event.type === "call.changed") return event.data.agent === me;
  return event.type === "call.ended";
}

/** Forgets everything: somebody else signs in. */
export function forget(): void {
  picture = emptyPicture();
  for (const part of PARTS) dirty.add(part);
  batch(() => {
    draw();
    known.value = false;
  });
}

export function serverNow(): number {
  return clock.at(Date.now());
}

/** The first change after quiet at once, the others so far apart. */
const SPACE_MS = 150;

function drawSoon(): void {
  drawing ??= setTimeout(draw, Math.max(0, drawn + SPACE_MS - performance.now()));
}

function draw(): void {
  clearTimeout(drawing);
  drawing = undefined;
  drawn = performance.now();
  batch(() => {
    // A map of its own each time: signals tell of a change only when the value is another one.
    for (const part of dirty) (parts[part] as Signal<unknown>).value = new Map(picture[part] as Map<string, unknown>);
    dirty.clear();
  });
}

let seen = Date.now();

function tick(): void {
  const local = Date.now();
  // A jump: the browser's clock was set, or the computer slept.
  if (Math.abs(local - seen) > 60_000) clock.reset();
  seen = local;
  now.value = clock.at(local);
}

setInterval(tick, 500);
