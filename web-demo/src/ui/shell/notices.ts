// One thing at a time that the person should read, and the requests that are under way.
import { signal } from "@preact/signals";
import { problemWords } from "../../centre/words";

export interface Notice {
  kind: "info" | "error";
  text: string;
}

export class Notices {
  readonly notice = signal<Notice | undefined>(undefined);
  /** Names of requests that are under way; their buttons wait. */
  readonly busy = signal<ReadonlySet<string>>(new Set());
  private clearing: ReturnType<typeof setTimeout> | undefined;

  /** Good news goes after so many milliseconds; without them it stays, as what went wrong does, until it is read. */
  constructor(private readonly infoMs?: number) {}

  show(text: string, kind: Notice["kind"] = "info"): void {
    clearTimeout(this.clearing);
    this.notice.value = { text, kind };
    if (kind === "info" && this.infoMs !== undefined) this.clearing = setTimeout(this.dismiss, this.infoMs);
  }

  /** Shows an error of the gateway in words. */
  readonly fail = (error: unknown): void => this.show(problemWords(error), "error");

  readonly dismiss = (): void => {
    clearTimeout(this.clearing);
    this.notice.value = undefined;
  };

  /** Removes a notice that is only informative. */
  dismissInfo(): void {
    if (this.notice.peek()?.kind === "info") this.dismiss();
  }

  /** Performs a request under a name, not twice at a time, and shows its error. True where it was done. */
  async attempt(name: string, act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy.peek().has(name)) return false;
    this.busy.value = new Set([...this.busy.peek(), name]);
    try {
      await act();
      if (this.notice.peek()?.kind === "error") this.dismiss();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    } finally {
      this.busy.value = new Set([...this.busy.peek()].filter((other) => other !== name));
    }
  }
}
