// Listening, whispering, barging in: the supervisor's own phone, which is there only as long as it is needed.
import { signal } from "@preact/signals";
import { audioContext } from "../audio/context";
import { closeMicrophone, defaultMicrophone, type MicrophoneSettings, openMicrophone, silence } from "../audio/microphone";
import { setSpeaker } from "../audio/speaker";
import { Call } from "../call";
import { ask } from "../centre/api";
import { Line } from "../centre/line";
import type { PhoneCall } from "../phone/phone";
import { read } from "../storage";
import { microphoneTrouble } from "../words";
import { tellFault } from "./board";
import { W } from "./words";

export type Supervising = "listen" | "whisper" | "barge";

export interface Watching {
  /** Id of the call. */
  call: string;
  agent: string;
  caller: string;
  mode: Supervising;
  /** The supervisor's own leg, once it is there. */
  leg: Call | undefined;
}

export const watching = signal<Watching | undefined>(undefined);
/** The next mode is being asked for. */
export const changing = signal(false);

/** Time that the phone may take to register, and the gateway to call it. */
const READY_MS = 15_000;

let tab = "";
let line: Line | undefined;
let microphone: MediaStream | undefined;
let legs = 0;

export function useTab(name: string): void {
  tab = name;
}

/** Begins, or goes on in another way. From within a click: the browser lets the page sound. */
export async function watch(wanted: Omit<Watching, "leg">): Promise<void> {
  if (changing.value) return;
  changing.value = true;
  audioContext();
  try {
    if (watching.value && watching.value.call !== wanted.call) await stopWatching();
    if (wanted.mode !== "listen" && !(await readyToSpeak())) return;
    const already = watching.value;
    if (!already) {
      watching.value = { ...wanted, leg: undefined };
      await openLine();
    }
    await ask("PUT", "/calls/{id}/supervision", { path: { id: wanted.call }, body: { mode: wanted.mode } });
    if (already) watching.value = { ...already, ...wanted };
    else setTimeout(() => watching.value?.call === wanted.call && !watching.value.leg && giveUp(W.phoneFailed), READY_MS);
  } catch (error) {
    if (watching.value?.leg) tellFault(error);
    else giveUp(error);
  } finally {
    changing.value = false;
  }
}

export async function stopWatching(): Promise<void> {
  const now = watching.value;
  watching.value = undefined;
  if (now) await ask("DELETE", "/calls/{id}/supervision", { path: { id: now.call } }).catch(() => undefined);
  now?.leg?.hangUp();
  await closeLine();
}

function giveUp(why: unknown): void {
  tellFault(why);
  void stopWatching();
}

/** A call of which only the sound was wanted has no microphone yet. */
async function readyToSpeak(): Promise<boolean> {
  if (microphone) return true;
  try {
    const kept = read<Partial<MicrophoneSettings>>("microphone");
    microphone = await openMicrophone({ ...defaultMicrophone, ...kept });
  } catch (error) {
    tellFault(microphoneTrouble(error).sentence);
    return false;
  }
  await watching.value?.leg?.useMicrophone(microphone);
  return true;
}

/** Resolves when the phone is registered. @throws when it takes too long. */
function openLine(): Promise<void> {
  setSpeaker(read<string>("speaker") ?? "");
  line ??= new Line(tab, incoming);
  const opening = line;
  if (!opening.registration.value) void opening.open();
  return new Promise((resolve, reject) => {
    let over: () => void = () => undefined;
    const timer = setTimeout(() => {
      over();
      reject(new Error(W.phoneFailed));
    }, READY_MS);
    over = opening.registration.subscribe((registration) => {
      if (registration?.state !== "registered") return;
      clearTimeout(timer);
      queueMicrotask(() => over());
      resolve();
    });
  });
}

async function closeLine(): Promise<void> {
  const closing = line;
  line = undefined;
  closeMicrophone(microphone);
  microphone = undefined;
  await closing?.close();
}

function incoming(wire: PhoneCall): void {
  const now = watching.value;
  const ours = /answer-after\s*=\s*0/i.test(wire.header("Call-Info") ?? "") && wire.header("X-Cordboard-Call") === now?.call;
  // Somebody calls the supervisor: that is for the telephone or the agent desktop.
  if (!now || !ours) return;
  const leg = new Call(++legs, "in", wire.peer, wire.peerName, (over) => {
    if (watching.value?.leg !== over) return;
    watching.value = undefined;
    tellFault(W.callOver);
    void closeLine();
  });
  leg.attach(wire);
  leg.listening.value = microphone === undefined;
  leg.answer(microphone ?? silence());
  watching.value = { ...now, leg };
}
