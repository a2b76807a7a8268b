// One thing at a time that the agent should read.
import { signal } from "@preact/signals";
import { problemWords } from "../centre/words";

export interface Notice {
  kind: "info" | "error";
  text: string;
}

/** The microphone could not be opened: what to say, and how to go on. */
export interface Trouble {
  sentence: string;
  retry(): void;
  goOn(): void;
  giveUp(): void;
}

export const notice = signal<Notice | undefined>(undefined);
export const trouble = signal<Trouble | undefined>(undefined);
/** Request that is under way; its button waits. */
export const busy = signal<ReadonlySet<string>>(new Set());

let clearing: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string, kind: Notice["kind"] = "info"): void {
  clearTimeout(clearing);
  notice.value = { text, kind };
  // Good news goes by itself; what went wrong stays until it is read.
  if (kind === "info") clearing = setTimeout(dismiss, 8000);
}

export function dismiss(): void {
  clearTimeout(clearing);
  notice.value = undefined;
}

/** Removes notices that were only informative. */
export function dismissInfo(): void {
  if (notice.value?.kind === "info") dismiss();
}

/** Does something, tells of it where it fails. True where it was done. */
export async function attempt(name: string, act: () => Promise<unknown>): Promise<boolean> {
  if (busy.value.has(name)) return false;
  busy.value = new Set([...busy.value, name]);
  try {
    await act();
    if (notice.value?.kind === "error") dismiss();
    return true;
  } catch (error) {
    tell(problemWords(error), "error");
    return false;
  } finally {
    busy.value = new Set([...busy.value].filter((other) => other !== name));
  }
}
