// The agent desktop behind its buttons: who is signed in, what the gateway tells, and what is asked of it.
import { batch, computed, effect, signal } from "@preact/signals";
import { audioAllowed, audioContext } from "../audio/context";
import { refreshDevices } from "../audio/devices";
import { closeMicrophone, openMicrophone } from "../audio/microphone";
import { ringerBlocked, startRinging, stopRinging } from "../audio/ringer";
import { playbackBlocked, unblock } from "../audio/speaker";
import { playKey, ring } from "../audio/tones";
import { ask, session } from "../centre/api";
import { Line } from "../centre/line";
import {
  type Agent,
  type AgentNotes,
  type CallRecord,
  type CentreCall,
  type CentreEvent,
  type Choice,
  type IntentKind,
  isWholeAgent,
  type Offer,
  type Target,
} from "../centre/objects";
import { Problem } from "../centre/problem";
import * as centre from "../centre/state";
import { Stream } from "../centre/stream";
import { nameTab } from "../centre/tab";
import { COMMON, callerName, OFFER_END, STATUS } from "../centre/words";
import { read, write } from "../storage";
import { microphoneTrouble } from "../words";
import { allowNotifications, notify, showMood, stopNotifying } from "./alerts";
import { Drafts } from "./drafts";
import { attempt, dismissInfo, tell, trouble } from "./notices";
import { microphone, ringerId, ringVolume, speakerId, startSound } from "./sound";
import { answerRinging, declineRinging, hold, incoming, ringing, useLine, type Voice, voice } from "./voice";
import { W } from "./words";

export type Stage = "starting" | "sign-in" | "not-agent" | "superseded" | "desk";

export const stage = signal<Stage>("starting");
/** Says something above the form of the sign-in. */
export const signInNote = signal("");
export const stream = signal<Stream | undefined>(undefined);
export const line = signal<Line | undefined>(undefined);
export const pauseReasons = signal<Choice[]>([]);
export const dispositions = signal<Choice[]>([]);
/** The browser keeps the page silent until a click. */
export const needsClick = signal(false);
export const drafts = new Drafts((call, body) => ask("PUT", "/calls/{id}/notes", { path: { id: call }, body }));

export const user = session.user;
/** There are demo callers to be had. */
export const demo = computed(() => user.value?.demo === true);

/** Agent of this desktop; a sign-in that ended by itself does not change it. */
const owner = signal<string | undefined>(undefined);

export const me = computed<Agent | undefined>(() => {
  const found = owner.value ? centre.agents.value.get(owner.value) : undefined;
  return isWholeAgent(found) ? found : undefined;
});

/** The call through a queue that the agent has. */
export const call = computed<CentreCall | undefined>(() => {
  const id = me.value?.call;
  return id ? centre.calls.value.get(id) : undefined;
});

export const offer = computed<Offer | undefined>(() => {
  for (const one of centre.offers.value.values()) if (one.agent === owner.value) return one;
  return undefined;
});

/** The call of a colleague's that this agent is asked about, or joined. */
export function consultedOn(of: Voice | undefined): CentreCall | undefined {
  return of?.consult ? centre.calls.value.get(of.consult) : undefined;
}

/** Another agent, as people say it. */
export function agentName(id: string | null | undefined): string {
  return (id && centre.agents.value.get(id)?.display) || "";
}

/** Incoming call: the offer as events report it, the INVITE, or both. */
export interface Ringing {
  offer: Offer | undefined;
  voice: Voice | undefined;
}

export const rings = computed<Ringing | undefined>(() => {
  // Whoever has answered waits for the gateway to say so, not for the bell.
  if (voice.value) return undefined;
  return offer.value || ringing.value ? { offer: offer.value, voice: ringing.value } : undefined;
});

/** The last call that the agent had: the one that wrap-up is about. */
export const lastCall = signal<{ id: string; who: string; notes?: AgentNotes[]; disposition?: string | null } | undefined>(
  read("last-call", "tab"),
);

export const wrappingUp = computed(() => me.value?.status === "wrap-up");

/** The sound of the agent's call is not on this page. */
export const voiceless = computed(() => call.value !== undefined && voice.value === undefined && stage.value === "desk");

let tab = "";

// ---- signing in and out --------------------------------------------------------------------------------------

export async function start(): Promise<void> {
  startSound();
  startAlerts();
  const named = await nameTab();
  tab = named.name;
  if (named.copied) {
    session.abandon();
    signInNote.value = COMMON.copiedTab;
    write("superseded", false, "tab");
  }
  if (!session.user.value) stage.value = "sign-in";
  else if (read("superseded", "tab")) stage.value = "superseded";
  else await enter();
}

/** @throws Problem */
export async function signIn(name: string, password: string): Promise<void> {
  const before = owner.peek();
  await session.signIn(name, password);
  signInNote.value = "";
  if (before !== undefined && before !== session.user.peek()?.id) {
    await leave();
    forgetOthers();
  }
  // From within the click: the browser lets the page sound from now on.
  audioContext();
  await enter();
}

/** True where the gateway was told. In a call it must be: it gives the caller back to the queue, and hanging up would not. */
export async function signOut(): Promise<boolean> {
  if (call.value) {
    await drafts.flush(call.value.id);
    if (!(await attempt("sign-out", () => session.end()))) return false;
  } else if (me.value && me.value.status !== "offline") {
    await ask("PUT", "/me/agent/intent", { body: { intent: "offline" } }).catch(() => undefined);
  }
  await leave();
  forgetOthers();
  await session.signOut();
  signInNote.value = "";
  stage.value = "sign-in";
  return true;
}

/** This tab is the agent's from now on. */
export function takeOver(): void {
  write("superseded", false, "tab");
  void enter();
}

async function enter(): Promise<void> {
  if (!session.user.value?.roles.includes("agent")) {
    stage.value = "not-agent";
    return;
  }
  stream.value?.stop();
  const events = new Stream(tab, { step: heard, refused });
  // Whoever was signed out in a call has the call's phone still; it gets credentials of the new sign-in.
  const kept = line.value;
  const phone = kept ?? new Line(tab, (wire) => incoming(wire, me.peek()));
  batch(() => {
    owner.value = session.user.peek()?.id;
    stream.value = events;
    line.value = phone;
    stage.value = "desk";
  });
  useLine(phone);
  events.start();
  if (kept) void kept.lendAnew();
  else void phone.open();
  void loadLists();
  void loadRecents();
  drafts.flushAll();
}

async function leave(): Promise<void> {
  stream.value?.stop();
  stream.value = undefined;
  voice.value?.call.hangUp();
  const phone = line.value;
  line.value = undefined;
  useLine(undefined);
  await phone?.close();
}

function forgetOthers(): void {
  centre.forget();
  batch(() => {
    owner.value = undefined;
    recents.value = [];
    recentsCursor.value = null;
    lastCall.value = undefined;
  });
  write("last-call", undefined, "tab");
}

function refused(why: "signed-out" | "not-allowed"): void {
  if (why === "not-allowed") stage.value = "not-agent";
  // A call that runs goes on; the form stands over it.
  else signInNote.value = COMMON.signedOutElsewhere;
  if (why === "signed-out" && !voice.value) stage.value = "sign-in";
}

// ---- what the gateway tells ----------------------------------------------------------------------------------

function heard(step: Parameters<typeof centre.take>[0]): void {
  if (step.superseded) {
    superseded();
    return;
  }
  if (step.event) beforeEvent(step.event);
  centre.take(step, ended, other);
  if (step.snapshot) drafts.flushAll();
}

/** Another tab took over: what is here goes as if the tab were reloaded, so that the gateway calls the other one into the call. */
function superseded(): void {
  write("superseded", true, "tab");
  if (voice.value) {
    guarded = false;
    location.reload();
    return;
  }
  stage.value = "superseded";
  void leave();
}

function beforeEvent(event: CentreEvent): void {
  if (event.type !== "offer.ended" || event.data.agent !== owner.value) return;
  // An offer that this page answered or rejected needs no words.
  if (rings.value) {
    const words = OFFER_END[event.data.how];
    if (words) tell(words);
  }
}

function ended(record: CallRecord): void {
  void drafts.flush(record.call);
  remember(record);
}

function remember(record: CallRecord): void {
  if (record.agents.some(({ id }) => id === owner.value)) {
    recents.value = [record, ...recents.value.filter(({ id }) => id !== record.id)];
  }
}

function other(event: CentreEvent): void {
  if (event.type === "config.changed") void loadLists();
  else if (event.type === "call.logged") remember(event.data.record);
}

async function loadLists(): Promise<void> {
  await Promise.all([
    ask("GET", "/pause-reasons").then(({ items }) => {
      pauseReasons.value = items;
    }),
    ask("GET", "/dispositions").then(({ items }) => {
      dispositions.value = items;
    }),
  ]).catch(() => undefined);
}

// ---- recent calls --------------------------------------------------------------------------------------------

export const recents = signal<CallRecord[]>([]);
export const recentsCursor = signal<string | null>(null);

const PAGE = 15;

async function loadRecents(): Promise<void> {
  const page = await ask("GET", "/me/records", { query: { limit: PAGE } }).catch(() => undefined);
  if (!page) return;
  batch(() => {
    recents.value = page.items;
    recentsCursor.value = page.next_cursor ?? null;
  });
}

export function moreRecents(): void {
  const cursor = recentsCursor.value;
  if (!cursor) return;
  void attempt("recents", async () => {
    const page = await ask("GET", "/me/records", { query: { limit: PAGE, cursor } });
    const known = new Set(recents.value.map(({ id }) => id));
    batch(() => {
      recents.value = [...recents.value, ...page.items.filter(({ id }) => !known.has(id))];
      recentsCursor.value = page.next_cursor ?? null;
    });
  });
}

// ---- the agent's state ---------------------------------------------------------------------------------------

export function setIntent(intent: IntentKind, reason?: string): Promise<boolean> {
  if (intent === "available" && me.value?.status === "offline") return goOnline();
  return attempt("intent", () => ask("PUT", "/me/agent/intent", { body: reason ? { intent, reason } : { intent } }));
}

/** From within a click: sound, notifications, microphone, then calls. */
export async function goOnline(): Promise<boolean> {
  audioContext();
  unblock();
  needsClick.value = false;
  void allowNotifications();
  const go = () => attempt("intent", () => ask("PUT", "/me/agent/intent", { body: { intent: "available" } }));
  try {
    closeMicrophone(await openMicrophone(microphone.value));
    void refreshDevices();
  } catch (error) {
    trouble.value = {
      sentence: microphoneTrouble(error).sentence,
      retry: () => {
        trouble.value = undefined;
        void goOnline();
      },
      goOn: () => {
        trouble.value = undefined;
        void go();
      },
      giveUp: () => {
        trouble.value = undefined;
      },
    };
    return false;
  }
  trouble.value = undefined;
  return go();
}

/** From within a click. */
export function unlock(): void {
  audioContext();
  unblock();
  needsClick.value = false;
  ringerBlocked.value = false;
  if (rings.value) startRinging(ringerId.value || speakerId.value, ringVolume.value);
}

export async function finishWrapUp(): Promise<boolean> {
  const id = lastCall.value?.id;
  return attempt("wrap-up", async () => {
    if (id) await drafts.flush(id);
    const { disposition } = id ? drafts.of(id) : { disposition: undefined };
    try {
      await ask("POST", "/me/agent/wrap-up", { body: id ? { call: id, ...(disposition ? { disposition } : {}) } : {} });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // Wrap-up ended by itself in the same moment.
      if (error.code === "not-wrapping-up") return;
      // The call went on to somebody else: what was noted is kept until it is over.
      if (error.code !== "unknown-call") throw error;
      await ask("POST", "/me/agent/wrap-up", { body: {} });
    }
  });
}

// ---- calls ---------------------------------------------------------------------------------------------------

export function answer(): void {
  audioContext();
  dismissInfo();
  answerRinging(offer.value?.id);
}

export function reject(): void {
  const now = rings.value;
  const id = now?.offer?.id ?? now?.voice?.offer;
  if (!id) {
    declineRinging();
    return;
  }
  void attempt("reject", () =>
    ask("POST", "/offers/{id}/reject", { path: { id } }).catch((error: unknown) => {
      // The bell stops whatever the gateway says.
      declineRinging();
      if (error instanceof Problem && error.code === "offer-gone") return;
      throw error;
    }),
  );
}

/** Asks something of the gateway about the call that the agent has. */
const verb = (name: string, act: (path: { id: string }) => Promise<unknown>): Promise<boolean> => {
  const id = call.value?.id;
  return id ? attempt(name, () => act({ id })) : Promise.resolve(false);
};

export function toggleHold(): void {
  const own = voice.value?.call;
  const path = call.value?.state === "held" ? "/calls/{id}/unhold" : "/calls/{id}/hold";
  if (call.value) void verb("hold", (of) => ask("POST", path, { path: of }));
  // A call through a queue is held by the gateway, once its events are here.
  else if (own && !voice.value?.centre) void hold(own, !own.held.value);
}

export function toggleMute(): void {
  const own = voice.value?.call;
  if (own && !own.listening.value) own.toggleMute();
}

export function hangUp(): void {
  const own = voice.value?.call;
  const id = call.value?.id;
  if (!id) {
    own?.hangUp();
    return;
  }
  void attempt("hangup", () =>
    ask("DELETE", "/calls/{id}", { path: { id } }).catch((error: unknown) => {
      // Without the gateway's REST there is still SIP.
      if (!own) throw error;
      own.hangUp();
    }),
  );
}

let digits = Promise.resolve();

/** A key of the pad. To whoever is asked it goes in the audio; to the caller by the gateway, in order. */
export function press(digit: string): void {
  const own = voice.value?.call;
  const now = call.value;
  if (!own || own.state.value === "calling") return;
  playKey(digit);
  if (!now || now.state === "consulting") {
    own.sendDigit(digit);
    return;
  }
  own.digits.value += digit;
  digits = digits
    .then(() => ask("POST", "/calls/{id}/dtmf", { path: { id: now.id }, body: { digits: digit } }))
    .catch(() => tell(`The tone ${digit} was not sent.`, "error"))
    .then(() => undefined);
}

export async function transfer(to: Target, name: string): Promise<boolean> {
  const done = await verb("transfer", (path) => ask("POST", "/calls/{id}/transfer", { path, body: { to } }));
  if (done) tell(W.transferred(name));
  return done;
}

export const consult = (to: Target) => verb("consult", (path) => ask("POST", "/calls/{id}/consult", { path, body: { to } }));
export const complete = () => verb("complete", (path) => ask("POST", "/calls/{id}/consult/complete", { path }));
export const merge = () => verb("merge", (path) => ask("POST", "/calls/{id}/consult/merge", { path }));
export const backToCaller = () => verb("back", (path) => ask("DELETE", "/calls/{id}/consult", { path }));
export const leaveCall = () => verb("leave", (path) => ask("POST", "/calls/{id}/leave", { path }));

export async function demoCall(): Promise<void> {
  if (await attempt("demo", () => ask("POST", "/demo/call", { body: {} }))) tell(W.demoSent);
}

// ---- what runs by itself -------------------------------------------------------------------------------------

let guarded = true;

function startAlerts(): void {
  // The bell.
  effect(() => {
    const now = rings.value;
    if (now) startRinging(ringerId.value || speakerId.value, ringVolume.peek());
    else stopRinging();
    if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(now ? [400, 200, 400] : 0);
  });
  // Ringback, while it rings at the other end.
  let stopRingback: (() => void) | undefined;
  effect(() => {
    const far = voice.value?.call.state.value === "ringing";
    stopRingback?.();
    stopRingback = far ? ring("ringback") : undefined;
  });
  effect(() => {
    const now = rings.value;
    const who = now && whoRings(now);
    if (!now || !who) return stopNotifying();
    const queue = now.offer?.call.queue?.name ?? now.voice?.queue;
    const about = aboutWhom(now);
    if (about) return notify(W.windowTitle.ringing(who), W.asksAbout(about));
    notify(W.windowTitle.ringing(who), queue ? W.offerFor(queue) : "");
  });
  effect(() => {
    const now = rings.value;
    if (now) return showMood("ringing", W.windowTitle.ringing(whoRings(now)));
    const talking = call.value ? callerName(call.value.from) : voice.value && (voice.value.call.name || voice.value.call.peer);
    if (talking) return showMood("talking", W.windowTitle.talking(talking));
    showMood("idle", me.value ? W.windowTitle.idle(STATUS[me.value.status]) : W.windowTitle.plain);
  });
  // Wrap-up is about the call before it.
  effect(() => {
    const now = call.value;
    if (!now) return;
    const last = { id: now.id, who: callerName(now.from), notes: now.notes, disposition: now.disposition };
    if (JSON.stringify(lastCall.peek()) === JSON.stringify(last)) return;
    lastCall.value = last;
    write("last-call", last, "tab");
  });
  // A call that waits for this page: the gateway calls whoever registers.
  let calling: ReturnType<typeof setInterval> | undefined;
  effect(() => {
    const wanted = voiceless.value && call.value?.state === "away";
    clearInterval(calling);
    calling = wanted ? setInterval(() => line.peek()?.register(), 3000) : undefined;
  });
  // After a reload the browser may want a click before the page may ring.
  effect(() => {
    const online = me.value !== undefined && me.value.status !== "offline";
    if (online) {
      void audioAllowed().then((allowed) => {
        needsClick.value = !allowed;
      });
    }
  });
  // At the click and not at its beginning: what goes away in between may move what is to be clicked.
  for (const gesture of ["click", "keydown"]) {
    addEventListener(
      gesture,
      () => {
        if (needsClick.value || playbackBlocked.value || ringerBlocked.value) unlock();
      },
      { capture: true, passive: true },
    );
  }
  addEventListener("online", () => line.value?.retry());
  addEventListener("beforeunload", (event) => {
    if (voice.value && guarded) event.preventDefault();
  });
}

/** Caller that a ringing consultation is about. */
export function aboutWhom({ voice }: Ringing): string {
  const asked = consultedOn(voice);
  return asked ? callerName(asked.from) : "";
}

export function whoRings({ offer, voice }: Ringing): string {
  return offer ? callerName(offer.call.from) : voice ? voice.call.name || voice.call.peer : COMMON.unknownCaller;
}
