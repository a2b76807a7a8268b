// Notes and disposition of calls: written as they are typed, kept in the tab until the gateway has them.
import { signal } from "@preact/signals";
import { Problem } from "../centre/problem";
import { read, write } from "../storage";

export interface Draft {
  notes: string;
  disposition: string | undefined;
  /** `later`: the gateway takes it only when the call is over, because it went on to somebody else. */
  state: "saved" | "typing" | "saving" | "failed" | "later";
  /** Milliseconds since 1970. */
  at: number;
}

export type Put = (call: string, body: { notes: string; disposition?: string }) => Promise<unknown>;

/** Time after the last key until it is sent. */
const QUIET_MS = 800;
const AGAIN_MS = 5000;
/** Drafts kept in the tab. */
const KEEP = 10;

export const blank: Draft = { notes: "", disposition: undefined, state: "saved", at: 0 };

export class Drafts {
  /** By id of the call. */
  readonly all = signal<Readonly<Record<string, Draft>>>({});
  /** Functions that cancel the timers. */
  private readonly timers = new Map<string, () => void>();

  constructor(
    private readonly put: Put,
    private readonly keep: (all: Readonly<Record<string, Draft>>) => void = (all) => write("drafts", all, "tab"),
    kept: Readonly<Record<string, Draft>> = read("drafts", "tab") ?? {},
    private readonly after: (act: () => void, ms: number) => () => void = afterTime,
  ) {
    this.all.value = kept;
  }

  of(call: string): Draft {
    return this.all.value[call] ?? blank;
  }

  edit(call: string, change: Partial<Pick<Draft, "notes" | "disposition">>): void {
    this.set(call, { ...this.of(call), ...change, state: "typing", at: Date.now() });
    this.flushAfter(call, QUIET_MS);
  }

  /** Sends what is not sent yet. True once the gateway has it. */
  async flush(call: string): Promise<boolean> {
    this.timers.get(call)?.();
    this.timers.delete(call);
    const draft = this.of(call);
    if (draft.state === "saved" || draft === blank) return true;
    this.set(call, { ...draft, state: "saving" });
    const { notes, disposition } = draft;
    let state: Draft["state"] = "saved";
    try {
      await this.put(call, disposition === undefined ? { notes } : { notes, disposition });
    } catch (error) {
      state = error instanceof Problem && error.status === 404 ? "later" : "failed";
    }
    const now = this.of(call);
    // Text typed meanwhile has a timer of its own.
    if (now.notes !== notes || now.disposition !== disposition) return false;
    this.set(call, { ...now, state });
    if (state === "failed") this.flushAfter(call, AGAIN_MS);
    return state === "saved";
  }

  /** Sends everything that is not sent yet, as after a reload. */
  flushAll(): void {
    for (const call of Object.keys(this.all.value)) void this.flush(call);
  }

  private flushAfter(call: string, ms: number): void {
    this.timers.get(call)?.();
    this.timers.set(
      call,
      this.after(() => void this.flush(call), ms),
    );
  }

  private set(call: string, draft: Draft): void {
    const all = Object.entries({ ...this.all.value, [call]: draft });
    // Those that the gateway has go first.
    all.sort(([, a], [, b]) => Number(a.state === "saved") - Number(b.state === "saved") || b.at - a.at);
    this.all.value = Object.fromEntries(all.slice(0, KEEP));
    this.keep(this.all.value);
  }
}

function afterTime(act: () => void, ms: number): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}
