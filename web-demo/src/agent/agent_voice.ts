// Audio of the agent: the one SIP call of this page, and the one that rings.
import { computed, type ReadonlySignal } from "@preact/signals";
import { targetFor } from "../account";
import type { PageAudio } from "../audio/page_audio";
import { clock } from "../centre/format";
import type { LentLine } from "../centre/lent_line";
import type { Agent } from "../centre/objects";
import type { End } from "../phone/phone";
import type { Notices } from "../ui/shell/notices";
import type { Call, CallState } from "../voice/call";
import type { SoundSettings } from "../voice/sound_settings";
import { Voice } from "../voice/voice";
import { outcomeOf } from "../words";
import { W } from "./words";

/** A SIP call, and what its INVITE said of the call centre. */
export interface AgentCall {
  call: Call;
  /** Id of the call that came through a queue. */
  centre?: string;
  /** Id of the offer that it rings for. */
  offer?: string;
  queue?: string;
  /** Id of the call that a colleague asks about. */
  consult?: string;
}

export class AgentVoice {
  readonly voice: Voice;
  /** The call that is heard, or is being made. */
  readonly current = computed(() => this.described(this.voice.active.value.at(-1)));
  readonly ringing = computed(() => this.described(this.voice.ringing.value[0]));
  private readonly descriptions = new WeakMap<Call, AgentCall>();
  /** The offer that was answered before its INVITE was here. */
  private answeredOffer: string | undefined;

  constructor(
    audio: PageAudio,
    sound: SoundSettings,
    private readonly line: LentLine,
    private readonly notices: Notices,
    private readonly me: ReadonlySignal<Agent | undefined>,
  ) {
    this.voice = new Voice(audio, sound, notices, {
      line,
      incoming: (call) => this.incoming(call),
      begins: () => undefined,
      ended: (call, end, was) => this.ended(call, end, was),
    });
  }

  /** Answers what rings, or as soon as it rings for that offer. */
  answerRinging(offer?: string): void {
    const came = this.ringing.peek();
    this.answeredOffer = came ? undefined : offer;
    if (came) void this.voice.answer(came.call);
  }

  declineRinging(): void {
    this.ringing.peek()?.call.hangUp();
  }

  /** Calls a number or a colleague, through no queue. True where the call has begun. */
  async dial(typed: string): Promise<boolean> {
    const number = targetFor(typed, "x")
      ?.replace(/^sip:|@x$/g, "")
      .replace(/%23/g, "#");
    const { registration } = this.line;
    if (!typed.trim() || this.current.peek() || !registration.peek()) return false;
    if (!number || number.includes("@")) {
      this.notices.show(`“${typed.trim()}” is not a number that can be called.`, "error");
      return false;
    }
    if (registration.peek()?.state !== "registered") {
      this.notices.show(W.phone.offline, "error");
      this.line.retry();
      return false;
    }
    const free = () => this.current.peek() === undefined && registration.peek() !== undefined;
    return this.voice.dial(number, number, { free });
  }

  /** An INVITE came for the agent, of whom nothing may be known yet. */
  private incoming(call: Call): void {
    const came = this.described(call);
    // The gateway says so only of calls that this agent has already (RFC 5373 as phones do it).
    if (/answer-after\s*=\s*0/i.test(call.header("Call-Info") ?? "")) {
      // Another call is one that the same person supervises from the wallboard, whose phone answers it.
      const me = this.me.peek();
      if (!me || me.call === came.centre) void this.voice.answerAtOnce(call);
      return;
    }
    if (this.current.peek() || this.ringing.peek()) {
      call.rejectBusy();
      // A caller in a queue goes to the next agent, and nobody was missed.
      if (!came.offer) this.notices.show(W.missedWhileBusy(call.name || call.peer));
      return;
    }
    this.voice.ring(call);
    if (this.answeredOffer !== undefined && this.answeredOffer === came.offer) this.answerRinging();
  }

  private ended(call: Call, end: End, was: CallState): void {
    const { centre, offer, consult } = this.described(call);
    const answered = call.answeredAt.peek() !== undefined;
    const who = call.name || call.peer;
    if (was === "incoming") {
      // The offer's event reports its outcome.
      if (!offer && end.by !== "us" && !/elsewhere/i.test(end.reason ?? "")) this.notices.show(W.missed(who));
      return;
    }
    // Another call took its place, a consultation may have become the agent's own call, and the list of recent calls has both.
    if (this.current.peek() || centre || consult) return;
    const { sentence } = outcomeOf(end, who, call.direction, answered);
    if (sentence) this.notices.show(sentence, "error");
    else if (answered) this.notices.show(W.ended(who, clock(call.seconds)));
  }

  private described(call: Call): AgentCall;
  private described(call: Call | undefined): AgentCall | undefined;
  private described(call: Call | undefined): AgentCall | undefined {
    if (!call) return undefined;
    let found = this.descriptions.get(call);
    if (!found) {
      found = {
        call,
        centre: call.header("X-Cordboard-Call"),
        offer: call.header("X-Cordboard-Offer"),
        queue: call.header("X-Cordboard-Queue"),
        consult: call.header("X-Cordboard-Consult"),
      };
      this.descriptions.set(call, found);
    }
    return found;
  }
}
