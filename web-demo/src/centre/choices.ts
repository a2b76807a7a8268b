// Lists that agents choose from: reasons of a pause, and results of a call.
import { batch, signal } from "@preact/signals";
import type { Ask } from "./api";
import type { Choice } from "./objects";
import { AUTOMATIC_PAUSE } from "./words";

export class Choices {
  readonly pauseReasons = signal<Choice[]>([]);
  readonly dispositions = signal<Choice[]>([]);

  /** `automatic`: words for the pauses that the gateway chooses. */
  constructor(
    private readonly ask: Ask,
    private readonly automatic: Readonly<Record<string, string>> = AUTOMATIC_PAUSE,
  ) {}

  /** Reads both lists; without an answer they stay as they are. */
  async load(): Promise<void> {
    const [reasons, dispositions] = await Promise.all([
      this.ask("GET", "/pause-reasons").catch(() => undefined),
      this.ask("GET", "/dispositions").catch(() => undefined),
    ]);
    batch(() => {
      if (reasons) this.pauseReasons.value = reasons.items;
      if (dispositions) this.dispositions.value = dispositions.items;
    });
  }

  /** A pause in words; empty without a reason. */
  reasonLabel(code: string | null | undefined): string {
    if (!code) return "";
    return this.pauseReasons.value.find((reason) => reason.code === code)?.label ?? this.automatic[code] ?? code;
  }
}
