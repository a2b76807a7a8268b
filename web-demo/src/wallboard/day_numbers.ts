// The day by quarters of an hour: asked for again every minute, and soon after a call.
import { signal } from "@preact/signals";
import type { Ask } from "../centre/api";
import type { QueueNumbers } from "../centre/objects";
import type { Answer } from "../centre/requests";

const AGAIN_MS = 60_000;
const AFTER_CALL_MS = 2000;

export class DayNumbers {
  readonly numbers = signal<QueueNumbers[]>([]);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = Infinity;
  /** Counts the stops: an answer that comes after one is not wanted any more. */
  private stops = 0;

  constructor(private readonly ask: Ask) {}

  async load(): Promise<void> {
    const mine = this.stops;
    this.loadIn(AGAIN_MS);
    const items: QueueNumbers[] = [];
    try {
      let cursor: string | undefined;
      do {
        const page: Answer<"GET", "/metrics/queues"> = await this.ask("GET", "/metrics/queues", { query: { cursor } });
        items.push(...page.items);
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
    } catch {
      return; // the next time it is asked for comes soon
    }
    if (mine === this.stops) this.numbers.value = items;
  }

  /** A call came, was answered or ended. */
  loadSoon(): void {
    this.loadIn(AFTER_CALL_MS);
  }

  stop(): void {
    this.stops += 1;
    clearTimeout(this.timer);
    this.due = Infinity;
  }

  /** Not later than then: where calls end all the time, none puts it off. */
  private loadIn(ms: number): void {
    const due = Date.now() + ms;
    if (due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.due = Infinity;
      void this.load();
    }, ms);
  }
}
