// The call centre as signals: what a page draws.
import { batch, type Signal, signal } from "@preact/signals";
import { ServerClock } from "./clock";
import type { Step } from "./feed";
import type { CallRecord, CentreEvent } from "./objects";
import { applyEvent, emptyPicture, PARTS, type Part, type Picture, pictureOf } from "./picture";

/** The first change after quiet at once, the others so far apart. */
const SPACE_MS = 150;
/** Time between two readings of the clock, half of the second in which it is shown. */
const TICK_MS = 500;
/** A jump: the browser's clock was set, or the computer slept. */
const JUMP_MS = 60_000;

/** Reader of the events that do not belong to the picture. */
export interface EventReader {
  /** A call is over. */
  ended(record: CallRecord): void;
  /** An event about something that is not drawn. */
  other(event: CentreEvent): void;
}

export class CentreState {
  /** True once a snapshot has come. */
  readonly known = signal(false);
  readonly agents = signal<Picture["agents"]>(new Map());
  readonly queues = signal<Picture["queues"]>(new Map());
  readonly calls = signal<Picture["calls"]>(new Map());
  readonly offers = signal<Picture["offers"]>(new Map());
  /** Milliseconds since 1970 by the gateway's clock, changed twice a second. */
  readonly now = signal(Date.now());
  private readonly clock = new ServerClock();
  private readonly dirty = new Set<Part>();
  private picture = emptyPicture();
  private drawing: ReturnType<typeof setTimeout> | undefined;
  private drawn = 0;
  private seen = Date.now();
  private ticking: ReturnType<typeof setInterval> | undefined;

  start(): void {
    this.ticking ??= setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.ticking);
    clearTimeout(this.drawing);
    this.ticking = this.drawing = undefined;
  }

  /** Takes a step of the stream. */
  take(step: Step, reader: EventReader): void {
    if (step.time) this.clock.heard(Date.parse(step.time), Date.now());
    if (step.snapshot) {
      this.picture = pictureOf(step.snapshot);
      for (const part of PARTS) this.dirty.add(part);
      batch(() => {
        this.tick();
        this.draw();
        this.known.value = true;
      });
    }
    if (!step.event) return;
    const { part, ended } = applyEvent(this.picture, step.event);
    if (part) {
      this.dirty.add(part);
      // Changes about the agent are shown at once; others as often as an eye can follow.
      if (part === "offers" || document.hidden || this.isOwn(step.event)) this.draw();
      else this.drawing ??= setTimeout(() => this.draw(), Math.max(0, this.drawn + SPACE_MS - performance.now()));
    } else {
      reader.other(step.event);
    }
    if (ended) reader.ended(ended);
  }

  /** Forgets everything: somebody else signs in. */
  forget(): void {
    this.picture = emptyPicture();
    for (const part of PARTS) this.dirty.add(part);
    batch(() => {
      this.draw();
      this.known.value = false;
    });
  }

  private isOwn(event: CentreEvent): boolean {
    const me = this.picture.me?.id;
    if (event.type === "agent.changed") return event.data.id === me;
    if (event.type === "call.changed") return event.data.agent === me;
    return event.type === "call.ended";
  }

  private draw(): void {
    clearTimeout(this.drawing);
    this.drawing = undefined;
    this.drawn = performance.now();
    batch(() => {
      // A map of its own each time: signals report a change only when the value is another one.
      for (const part of this.dirty) {
        (this[part] as Signal<unknown>).value = new Map(this.picture[part] as Map<string, unknown>);
      }
      this.dirty.clear();
    });
  }

  private tick(): void {
    const local = Date.now();
    if (Math.abs(local - this.seen) > JUMP_MS) this.clock.reset();
    this.seen = local;
    this.now.value = this.clock.at(local);
  }
}
