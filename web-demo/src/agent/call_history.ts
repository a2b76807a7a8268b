// The agent's calls of late, newest first.
import { batch, signal } from "@preact/signals";
import type { Ask } from "../centre/api";
import type { CallRecord } from "../centre/objects";
import type { Notices } from "../ui/shell/notices";

const PAGE = 15;

export class CallHistory {
  readonly records = signal<CallRecord[]>([]);
  /** Beginning of the older ones, as the API wants it; null where there are none. */
  readonly cursor = signal<string | null>(null);

  constructor(
    private readonly ask: Ask,
    private readonly notices: Notices,
  ) {}

  /** Reads the first page; without an answer the list stays as it is. */
  async load(): Promise<void> {
    const page = await this.ask("GET", "/me/records", { query: { limit: PAGE } }).catch(() => undefined);
    if (!page) return;
    batch(() => {
      this.records.value = page.items;
      this.cursor.value = page.next_cursor ?? null;
    });
  }

  readonly loadMore = (): void => {
    const cursor = this.cursor.peek();
    if (!cursor) return;
    void this.notices.attempt("recents", async () => {
      const page = await this.ask("GET", "/me/records", { query: { limit: PAGE, cursor } });
      const known = new Set(this.records.peek().map(({ id }) => id));
      batch(() => {
        this.records.value = [...this.records.peek(), ...page.items.filter(({ id }) => !known.has(id))];
        this.cursor.value = page.next_cursor ?? null;
      });
    });
  };

  /** Puts a record at the head of the list, in place of an older state of it. */
  add(record: CallRecord): void {
    this.records.value = [record, ...this.records.peek().filter(({ id }) => id !== record.id)];
  }

  forget(): void {
    this.records.value = [];
    this.cursor.value = null;
  }
}
