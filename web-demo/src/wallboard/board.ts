// The wallboard behind its buttons: who is signed in, what the gateway tells, and what is asked of it.
import { batch, computed, signal } from "@preact/signals";
import { ask, session } from "../centre/api";
import { type CentreEvent, type Choice, type IntentKind, isWholeQueue, type Queue, type QueueNumbers } from "../centre/objects";
import type { Answer } from "../centre/requests";
import * as centre from "../centre/state";
import { Stream } from "../centre/stream";
import { nameTab } from "../centre/tab";
import { COMMON, problemWords } from "../centre/words";
import { stopWatching, useTab } from "./supervision";

export type Stage = "starting" | "sign-in" | "not-supervisor" | "board";

export const stage = signal<Stage>("starting");
export const signInNote = signal("");
export const stream = signal<Stream | undefined>(undefined);
export const pauseReasons = signal<Choice[]>([]);
/** The day by quarters of an hour. */
export const numbers = signal<QueueNumbers[]>([]);
export const fault = signal("");

export const user = session.user;

export const queues = computed<Queue[]>(() =>
  [...centre.queues.value.values()].filter(isWholeQueue).sort((a, b) => a.name.localeCompare(b.name)),
);

/** The day's numbers are asked for again so often, and soon after a call. */
const NUMBERS_MS = 60_000;
const AFTER_CALL_MS = 2000;

let numbersTimer: ReturnType<typeof setTimeout> | undefined;
let numbersDue = Infinity;

export async function start(): Promise<void> {
  const tab = await nameTab();
  useTab(tab.name);
  if (tab.copied) {
    session.abandon();
    signInNote.value = COMMON.copiedTab;
  }
  if (session.user.value) enter();
  else stage.value = "sign-in";
}

/** @throws Problem */
export async function signIn(name: string, password: string): Promise<void> {
  await session.signIn(name, password);
  signInNote.value = "";
  centre.forget();
  enter();
}

export async function signOut(): Promise<void> {
  leave();
  await stopWatching();
  centre.forget();
  numbers.value = [];
  await session.signOut();
  stage.value = "sign-in";
}

/** @throws Problem */
export async function setIntent(agent: string, intent: IntentKind, reason?: string): Promise<void> {
  await ask("PUT", "/agents/{id}/intent", { path: { id: agent }, body: reason ? { intent, reason } : { intent } });
}

export function tellFault(error: unknown): void {
  fault.value = typeof error === "string" ? error : problemWords(error);
}

function enter(): void {
  const roles = session.user.value?.roles ?? [];
  if (!roles.includes("supervisor") && !roles.includes("admin")) {
    stage.value = "not-supervisor";
    return;
  }
  leave();
  const events = new Stream(undefined, {
    step: (step) => {
      centre.take(step, () => loadNumbersIn(AFTER_CALL_MS), other);
      // Calls count in the chart from when they come, and as answered from then on.
      if (step.event?.type === "call.changed") loadNumbersIn(AFTER_CALL_MS);
      if (step.snapshot) void loadNumbers();
    },
    refused: (why) => {
      if (why === "signed-out") signInNote.value = COMMON.signedOutElsewhere;
      stage.value = why === "signed-out" ? "sign-in" : "not-supervisor";
    },
  });
  batch(() => {
    stream.value = events;
    stage.value = "board";
  });
  events.start();
  void loadReasons();
}

function leave(): void {
  clearTimeout(numbersTimer);
  numbersDue = Infinity;
  stream.value?.stop();
  stream.value = undefined;
}

function other(event: CentreEvent): void {
  if (event.type === "config.changed") void loadReasons();
}

async function loadReasons(): Promise<void> {
  const list = await ask("GET", "/pause-reasons").catch(() => undefined);
  if (list) pauseReasons.value = list.items;
}

/** Not later than then: where calls end all the time, none puts it off. */
function loadNumbersIn(ms: number): void {
  const due = Date.now() + ms;
  if (due >= numbersDue) return;
  clearTimeout(numbersTimer);
  numbersDue = due;
  numbersTimer = setTimeout(() => {
    numbersDue = Infinity;
    void loadNumbers();
  }, ms);
}

async function loadNumbers(): Promise<void> {
  loadNumbersIn(NUMBERS_MS);
  const items: QueueNumbers[] = [];
  try {
    let cursor: string | undefined;
    do {
      const page: Answer<"GET", "/metrics/queues"> = await ask("GET", "/metrics/queues", { query: { cursor } });
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
  } catch {
    return; // the next time it is asked for comes soon
  }
  if (stage.value === "board") numbers.value = items;
}
