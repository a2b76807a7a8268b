// The phone behind the page: account, registration, calls and what to tell the person about them.
import { batch, computed, effect, signal } from "@preact/signals";
import { credentialsFor, type Library, type Settings, settingsFrom, targetFor } from "./account";
import { refreshDevices, watchDevices } from "./audio/devices";
import { closeMicrophone, defaultMicrophone, type MicrophoneSettings, openMicrophone, silence } from "./audio/microphone";
import { setSpeaker } from "./audio/speaker";
import { playEnd, playKey, ring } from "./audio/tones";
import { Call } from "./call";
import type { End, Phone, PhoneCall, Registration } from "./phone/phone";
import { clock, parseRecents, type Recent, withRecent } from "./recents";
import { read, write } from "./storage";
import { microphoneTrouble, outcomeOf, standingOf } from "./words";

export interface Notice {
  text: string;
  kind: "info" | "error";
}

/** The microphone could not be opened: what to say, and how to go on. */
export interface Trouble {
  sentence: string;
  retry(): void;
  listenOnly(): void;
  giveUp(): void;
}

// A tab keeps its own account; what was saved last in any tab is what a new one begins with.
export const settings = signal<Settings>(
  settingsFrom(location, read<Partial<Settings>>("account", "tab") ?? read<Partial<Settings>>("settings")),
);
write("account", settings.value, "tab");
export const registration = signal<Registration>({ state: "connecting" });
export const standing = computed(() => standingOf(registration.value, settings.value.user));
export const calls = signal<Call[]>([]);
/** The call whose card is open. */
export const selected = signal<Call | undefined>(undefined);
export const notice = signal<Notice | undefined>(undefined);
export const trouble = signal<Trouble | undefined>(undefined);
export const recents = signal<Recent[]>(recentsOf(settings.value.user));
export const microphone = signal<MicrophoneSettings>({
  ...defaultMicrophone,
  ...read<Partial<MicrophoneSettings>>("microphone"),
});
export const speakerId = signal(read<string>("speaker") ?? "");
export const number = signal(new URLSearchParams(location.search).get("dial") ?? "");
export const lastDialled = signal("");
/** The number is that of a call that failed: the next digit begins another one. */
export const failed = signal(false);

let phone: Phone | undefined;
let generation = 0;
let nextId = 1;

export const ringing = computed(() => calls.value.filter((call) => call.state.value === "incoming"));
export const active = computed(() => calls.value.filter((call) => call.state.value !== "incoming"));

// ---- account and connection ----------------------------------------------------------------------------------

export async function connect(): Promise<void> {
  const mine = ++generation;
  registration.value = { state: "connecting" };
  const old = phone;
  phone = undefined;
  for (const call of calls.value) call.hangUp();
  await old?.stop();
  const { createPhone } = settings.value.library === "sipjs" ? await import("./phone/sipjs") : await import("./phone/jssip");
  if (mine !== generation) return;
  try {
    phone = createPhone(credentialsFor(settings.value, location), {
      registration(state) {
        if (mine === generation) registration.value = state;
      },
      incoming: (wire) => incoming(wire),
    });
    phone.start();
  } catch {
    registration.value = { state: "refused", code: 400, reason: "this is not a usable account" };
  }
}

export function saveSettings(next: Settings): void {
  batch(() => {
    if (next.user !== settings.value.user) recents.value = recentsOf(next.user);
    settings.value = next;
  });
  const { password: _, ...kept } = next;
  write("settings", kept);
  write("account", next, "tab");
  // The address bar named another account perhaps, and would win after a reload.
  const address = new URL(location.href);
  for (const name of ["user", "password", "lib"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
  notice.value = undefined;
  void connect();
}

function recentsOf(user: string): Recent[] {
  return parseRecents(JSON.stringify(read(`recents.${user}`) ?? []));
}

export function setLibrary(library: Library): void {
  if (library !== settings.value.library) saveSettings({ ...settings.value, library });
}

export function retryNow(): void {
  if (registration.value.state === "refused") void connect();
  else phone?.retry();
}

// ---- calls ---------------------------------------------------------------------------------------------------

export async function dial(typed: string): Promise<void> {
  const { domain } = credentialsFor(settings.value, location);
  const target = targetFor(typed, domain);
  if (!typed.trim()) return;
  if (!target) {
    notice.value = { kind: "error", text: `“${typed.trim()}” is not a valid number or address.` };
    return;
  }
  if (registration.value.state !== "registered") {
    // Why is said already where it is known.
    const text = standing.value.sentence ? `${typed.trim()} was not called.` : "Not signed in yet. Try again in a moment.";
    notice.value = { kind: "error", text };
    retryNow();
    return;
  }
  notice.value = undefined;
  lastDialled.value = typed.trim();
  await withMicrophone((stream, listening) => {
    const peer = typed
      .trim()
      .replace(/^(sips?|tel):/i, "")
      .replace(new RegExp(`@${escapeRegExp(domain)}$`), "");
    const call = new Call(nextId++, "out", peer, "", ended);
    call.microphone.value = stream;
    call.listening.value = listening;
    holdOthers(call);
    call.typed = typed.trim();
    add(call);
    number.value = "";
    failed.value = false;
    try {
      if (!phone) throw new Error("not connected");
      call.attach(phone.call(target, stream, call.listener));
    } catch (error) {
      call.listener.ended({ by: "network", reason: error instanceof Error ? error.message : String(error) });
    }
  });
}

export async function answer(call: Call): Promise<void> {
  await withMicrophone((stream, listening) => {
    if (call.state.value !== "incoming") return closeMicrophone(stream); // the caller gave up meanwhile
    holdOthers(call);
    call.listening.value = listening;
    selected.value = call;
    call.answer(stream);
  });
}

export function select(call: Call): void {
  selected.value = call;
  holdOthers(call);
  void toggleHold(call, false);
}

export async function toggleHold(call: Call, held = !call.held.value): Promise<void> {
  try {
    await call.setHeld(held);
  } catch {
    notice.value = { kind: "error", text: held ? "The call could not be put on hold." : "The call could not be resumed." };
  }
}

/** A key of the pad: a digit of the number, or in a call a tone. */
export function press(digit: string): void {
  const call = selected.value;
  playKey(digit);
  if (call?.state.value === "talking" || call?.state.value === "early") call.sendDigit(digit);
  else if (!call) {
    number.value = failed.value ? digit : number.value + digit;
    failed.value = false;
  }
}

/** Transfers the other party of a call to what was typed, or to the other party of another call. */
export function transfer(call: Call, to: string | Call): boolean {
  const { domain } = credentialsFor(settings.value, location);
  const target = typeof to === "string" ? targetFor(to, domain) : to;
  const name = typeof to === "string" ? to.trim() : to.name || to.peer;
  if (!target) {
    notice.value = { kind: "error", text: `“${name}” is not a valid number or address.` };
    return false;
  }
  notice.value = undefined;
  call.transfer(target, name, (code) => {
    if (code < 300) return;
    const { sentence } = outcomeOf({ by: "them", code }, name, "out", false);
    notice.value = { kind: "error", text: `The call was not transferred. ${sentence}` };
  });
  return true;
}

function incoming(wire: PhoneCall): void {
  const call = new Call(nextId++, "in", wire.peer, wire.peerName, ended);
  call.attach(wire);
  add(call, selected.value === undefined);
}

function add(call: Call, select = true): void {
  batch(() => {
    calls.value = [...calls.value, call];
    if (select && call.direction === "out") selected.value = call;
  });
}

function holdOthers(call: Call): void {
  for (const other of calls.value) {
    if (other !== call && other.state.value === "talking") void toggleHold(other, true);
  }
}

function ended(call: Call, end: End): void {
  const answered = call.answeredAt.value !== undefined;
  const who = call.name || call.peer;
  const given = answered && end.by === "them" ? call.transferring.value : undefined;
  const outcome = outcomeOf(end, who, call.direction, answered);
  // If the gateway is away, the page says so already.
  const known = end.by === "network" && !answered && standing.value.sentence !== "";
  const sentence = known && outcome.sentence ? `${who} was not called.` : outcome.sentence;
  batch(() => {
    calls.value = calls.value.filter((other) => other !== call);
    if (selected.value === call) selected.value = calls.value.find((other) => other.state.value === "talking");
    recents.value = withRecent(recents.value, {
      peer: call.peer,
      name: call.name,
      direction: call.direction,
      at: call.begun,
      seconds: Math.round(call.seconds),
      outcome: outcome.short,
    });
    if (given !== undefined) {
      notice.value = { kind: "info", text: `${who} was transferred to ${given}.` };
    } else if (sentence) {
      notice.value = { kind: call.direction === "in" && !answered ? "info" : "error", text: sentence };
    } else if (answered) {
      notice.value = { kind: "info", text: `Call with ${who} ended after ${clock(call.seconds)}.` };
    }
    // Whoever did not get through finds the number where it was.
    if (call.typed && !answered && outcome.sentence && !number.value) {
      number.value = call.typed;
      failed.value = true;
    }
  });
  if (answered && end.by !== "us") playEnd();
}

// ---- microphone and speaker ----------------------------------------------------------------------------------

/** Opens the microphone and goes on with it; where that fails, asks the person how. */
async function withMicrophone(go: (stream: MediaStream, listening: boolean) => void): Promise<void> {
  trouble.value = undefined;
  try {
    const stream = await openMicrophone(microphone.value);
    void refreshDevices();
    go(stream, false);
  } catch (error) {
    const { sentence } = microphoneTrouble(error);
    trouble.value = {
      sentence,
      retry: () => void withMicrophone(go),
      listenOnly: () => {
        trouble.value = undefined;
        go(silence(), true);
      },
      giveUp: () => {
        trouble.value = undefined;
      },
    };
  }
}

export async function setMicrophone(next: MicrophoneSettings): Promise<void> {
  microphone.value = next;
  write("microphone", next);
  for (const call of active.value) {
    if (!call.pc) continue;
    try {
      await call.useMicrophone(await openMicrophone(next));
    } catch (error) {
      notice.value = { kind: "error", text: microphoneTrouble(error).sentence };
    }
  }
}

export function chooseSpeaker(id: string): void {
  speakerId.value = id;
  write("speaker", id);
  setSpeaker(id);
}

export function clearRecents(): void {
  recents.value = [];
}

// ---- what runs by itself -------------------------------------------------------------------------------------

export function start(): void {
  setSpeaker(speakerId.value);
  void refreshDevices();
  watchDevices(() => undefined);
  effect(() => write(`recents.${settings.value.user}`, recents.value));

  // Ring for the person, or let them hear that it rings at the other end.
  let stopRinging: (() => void) | undefined;
  let sounding: string | undefined;
  effect(() => {
    const wanted = ringing.value.length
      ? "incoming"
      : active.value.some((call) => call.state.value === "ringing")
        ? "ringback"
        : undefined;
    if (wanted === sounding) return;
    sounding = wanted;
    stopRinging?.();
    stopRinging = wanted ? ring(wanted as "incoming" | "ringback") : undefined;
    navigator.vibrate?.(wanted === "incoming" ? [400, 200, 400] : 0);
  });
  effect(() => {
    const caller = ringing.value[0];
    document.title = caller
      ? `${caller.name || caller.peer} is calling`
      : active.value.length
        ? "In a call · Cordboard"
        : "Cordboard phone";
  });
  addEventListener("online", () => phone?.retry());
  addEventListener("beforeunload", (event) => {
    if (active.value.length) event.preventDefault();
  });
  void connect();
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
