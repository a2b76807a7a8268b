// Audio of the agent: the one SIP call of this page, and the one that rings.
import { computed, signal } from "@preact/signals";
import { targetFor } from "../account";
import type { MicrophoneSettings } from "../audio/microphone";
import { closeMicrophone, openMicrophone, silence } from "../audio/microphone";
import { playEnd } from "../audio/tones";
import { Call } from "../call";
import { clock } from "../centre/format";
import type { Line } from "../centre/line";
import type { Agent } from "../centre/objects";
import type { End, PhoneCall } from "../phone/phone";
import { microphoneTrouble, outcomeOf } from "../words";
import { tell, trouble } from "./notices";
import { keepMicrophone, microphone, withMicrophone } from "./sound";
import { W } from "./words";

/** A SIP call, and what its INVITE said of the call centre. */
export interface Voice {
  call: Call;
  /** Id of the call that came through a queue. */
  centre?: string;
  /** Id of the offer that it rings for. */
  offer?: string;
  queue?: string;
  /** Id of the call that a colleague asks about. */
  consult?: string;
}

/** The call that is heard, or is being made. */
export const voice = signal<Voice | undefined>(undefined);
export const ringing = signal<Voice | undefined>(undefined);
export const inCall = computed(() => voice.value !== undefined);

let line: Line | undefined;
let nextId = 1;

export function useLine(of: Line | undefined): void {
  line = of;
}

/** An INVITE came for the agent, of whom nothing may be known yet. */
export function incoming(wire: PhoneCall, me: Agent | undefined): void {
  const call = new Call(nextId++, "in", wire.peer, wire.peerName, (over, end) => ended(over, end));
  call.attach(wire);
  const came: Voice = {
    call,
    centre: wire.header("X-Cordboard-Call"),
    offer: wire.header("X-Cordboard-Offer"),
    queue: wire.header("X-Cordboard-Queue"),
    consult: wire.header("X-Cordboard-Consult"),
  };
  // The gateway says so only of calls that this agent has already (RFC 5373 as phones do it).
  if (/answer-after\s*=\s*0/i.test(wire.header("Call-Info") ?? "")) {
    // Another call is one that the same person supervises from the wallboard, whose phone answers it.
    if (!me || me.call === came.centre) void answerAtOnce(came);
    return;
  }
  if (voice.value || ringing.value) {
    call.rejectBusy();
    // A caller in a queue goes to the next agent, and nobody was missed.
    if (!came.offer) tell(W.missedWhileBusy(call.name || call.peer));
    return;
  }
  ringing.value = came;
  if (wanted !== undefined && wanted === came.offer) answerRinging();
}

/** The offer that was answered before its INVITE was here. */
let wanted: string | undefined;

/** Answers what rings, or as soon as it rings. */
export function answerRinging(offer?: string): void {
  const came = ringing.value;
  wanted = came ? undefined : offer;
  if (came?.call.state.value !== "incoming") return;
  void withMicrophone((stream, listening) => {
    // The caller gave up, or it went elsewhere, meanwhile.
    if (came.call.state.value !== "incoming") return closeMicrophone(stream);
    ringing.value = undefined;
    begin(came, stream, listening);
  });
}

export function declineRinging(): void {
  ringing.value?.call.hangUp();
}

/** Calls a number or a colleague, through no queue. */
export async function dial(typed: string): Promise<boolean> {
  const number = targetFor(typed, "x")
    ?.replace(/^sip:|@x$/g, "")
    .replace(/%23/g, "#");
  if (!typed.trim() || voice.value || !line) return false;
  if (!number || number.includes("@")) {
    tell(`“${typed.trim()}” is not a number that can be called.`, "error");
    return false;
  }
  if (line.registration.value?.state !== "registered") {
    tell(W.phone.offline, "error");
    line.retry();
    return false;
  }
  let begun = false;
  await withMicrophone((stream, listening) => {
    if (voice.value || !line) return closeMicrophone(stream);
    const call = new Call(nextId++, "out", number, "", (over, end) => ended(over, end));
    call.microphone.value = stream;
    call.listening.value = listening;
    voice.value = { call };
    begun = true;
    try {
      call.attach(line.call(number, stream, call.listener));
    } catch (error) {
      call.listener.ended({ by: "network", reason: error instanceof Error ? error.message : String(error) });
    }
  });
  return begun;
}

/** The microphone in a call that began without one, or another one. */
export async function changeMicrophone(next: MicrophoneSettings): Promise<void> {
  keepMicrophone(next);
  const call = voice.value?.call;
  if (!call?.pc) return;
  try {
    await call.useMicrophone(await openMicrophone(next));
  } catch (error) {
    tell(microphoneTrouble(error).sentence, "error");
  }
}

export async function hold(call: Call, held: boolean): Promise<void> {
  await call
    .setHeld(held)
    .catch(() => tell(held ? "The call could not be put on hold." : "The call could not be resumed.", "error"));
}

async function answerAtOnce(came: Voice): Promise<void> {
  const before = voice.value;
  let stream: MediaStream;
  let listening = false;
  try {
    stream = await openMicrophone(microphone.value);
  } catch (error) {
    // The caller waits: first back into the call, then the microphone.
    stream = silence();
    listening = true;
    trouble.value = {
      sentence: microphoneTrouble(error).sentence,
      retry: () => {
        trouble.value = undefined;
        void changeMicrophone(microphone.value);
      },
      goOn: () => {
        trouble.value = undefined;
      },
      giveUp: () => {
        trouble.value = undefined;
      },
    };
  }
  if (came.call.state.value !== "incoming") return closeMicrophone(stream);
  if (ringing.value) ringing.value.call.rejectBusy();
  begin(came, stream, listening);
  before?.call.hangUp();
}

function begin(came: Voice, stream: MediaStream, listening: boolean): void {
  came.call.listening.value = listening;
  voice.value = came;
  came.call.answer(stream);
}

function ended(call: Call, end: End): void {
  const answered = call.answeredAt.value !== undefined;
  const who = call.name || call.peer;
  if (ringing.value?.call === call) {
    const { offer } = ringing.value;
    ringing.value = undefined;
    // The offer's event reports its outcome.
    if (!offer && end.by !== "us" && !/elsewhere/i.test(end.reason ?? "")) tell(W.missed(who));
    return;
  }
  if (voice.value?.call !== call) return;
  const { centre, consult } = voice.value;
  voice.value = undefined;
  if (answered && end.by !== "us") playEnd();
  // A consultation may have become the agent's own call; the list of recent calls has both.
  if (centre || consult) return;
  const { sentence } = outcomeOf(end, who, call.direction, answered);
  if (sentence) tell(sentence, "error");
  else if (answered) tell(W.ended(who, clock(call.seconds)));
}
