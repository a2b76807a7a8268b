// The calls of a page: their microphones, what is heard while they ring, and their end. What a page does with a call that
// comes, and what it says of one that is over, is the page's own (`VoiceHandler`).
import { batch, computed, effect, signal } from "@preact/signals";
import { closeMicrophone, type MicrophoneSettings, openMicrophone } from "../audio/microphone";
import type { PageAudio } from "../audio/page_audio";
import type { CallListener, End, PhoneCall } from "../phone/phone";
import type { Notices } from "../ui/shell/notices";
import { microphoneTrouble } from "../words";
import { Call, type CallState } from "./call";
import type { SoundSettings } from "./sound_settings";

/** The microphone could not be opened: what to say, and how to go on. */
export interface Trouble {
  sentence: string;
  retry(): void;
  /** Without a microphone. */
  goOn(): void;
  giveUp(): void;
}

/** A registration through which calls go out. */
export interface VoiceLine {
  retry(): void;
  /** @throws where there is no connection. */
  call(target: string, microphone: MediaStream, listener: CallListener): PhoneCall;
}

export interface VoiceHandler {
  readonly line: VoiceLine;
  /** Lets a call that came ring, answers it, or refuses it. */
  incoming(call: Call): void;
  /** A call is being made or answered by the person. */
  begins(call: Call): void;
  /** A call that was shown is over; `was` is its state before. */
  ended(call: Call, end: End, was: CallState): void;
}

export class Voice {
  /** Calls that are not over, the oldest first. */
  readonly calls = signal<readonly Call[]>([]);
  /** Those that ring here. */
  readonly ringing = computed(() => this.calls.value.filter(({ state }) => state.value === "incoming"));
  readonly active = computed(() => this.calls.value.filter(({ state }) => state.value !== "incoming"));
  readonly trouble = signal<Trouble | undefined>(undefined);
  private nextId = 1;
  /** False once the page may be left during a call without a question. */
  private guarded = true;

  constructor(
    readonly audio: PageAudio,
    readonly sound: SoundSettings,
    private readonly notices: Notices,
    private readonly handler: VoiceHandler,
  ) {}

  /** From now on: ringback, a line that recovers with the network, and a question before the page is left in a call. */
  start(): void {
    let stopRingback: (() => void) | undefined;
    effect(() => {
      const wanted = this.ringing.value.length === 0 && this.active.value.some(({ state }) => state.value === "ringing");
      if (wanted) stopRingback ??= this.audio.tones.ring("ringback");
      else {
        stopRingback?.();
        stopRingback = undefined;
      }
    });
    addEventListener("online", () => this.handler.line.retry());
    addEventListener("beforeunload", (event) => {
      if (this.guarded && this.active.peek().length > 0) event.preventDefault();
    });
  }

  /** Lets the page be left during a call without a question. */
  unguard(): void {
    this.guarded = false;
  }

  /** Takes an INVITE that came. */
  readonly incoming = (wire: PhoneCall): void => {
    const call = this.make("in", wire.peer, wire.peerName);
    call.attach(wire);
    this.handler.incoming(call);
  };

  /** Lets a call that came ring. */
  ring(call: Call): void {
    this.calls.value = [...this.calls.peek(), call];
  }

  /** Answers what rings, once there is a microphone or the person goes on without one. */
  async answer(call: Call): Promise<void> {
    await this.withMicrophone((stream, listening) => {
      // The caller gave up, or it went elsewhere, meanwhile.
      if (call.state.value !== "incoming") return closeMicrophone(stream);
      this.begin(call, stream, listening);
    });
  }

  /** Answers without a question, in place of the calls that there are: first into the call, then the microphone. */
  async answerAtOnce(call: Call): Promise<void> {
    const before = this.active.peek();
    let stream: MediaStream;
    let listening = false;
    try {
      stream = await openMicrophone(this.sound.microphone.peek());
    } catch (error) {
      stream = this.audio.silence();
      listening = true;
      this.ask(error, {
        retry: () => void this.changeMicrophone(this.sound.microphone.peek()),
        goOn: () => undefined,
      });
    }
    if (call.state.value !== "incoming") return closeMicrophone(stream);
    for (const other of this.ringing.peek()) other.rejectBusy();
    this.begin(call, stream, listening);
    for (const other of before) other.hangUp();
  }

  /**
   * Calls a SIP address, or what the line makes one of; `peer` is its text on the page, `typed` what the person wrote. `free`
   * is asked again when there is a microphone. True where the call has begun already.
   */
  async dial(
    target: string,
    peer: string,
    { typed = "", free = () => true }: { typed?: string; free?(): boolean } = {},
  ): Promise<boolean> {
    let begun = false;
    await this.withMicrophone((stream, listening) => {
      if (!free()) return closeMicrophone(stream);
      const call = this.make("out", peer, "");
      call.typed = typed;
      call.microphone.value = stream;
      call.listening.value = listening;
      batch(() => {
        this.handler.begins(call);
        this.ring(call);
      });
      begun = true;
      try {
        call.attach(this.handler.line.call(target, stream, call.listener));
      } catch (error) {
        call.listener.ended({ by: "network", reason: error instanceof Error ? error.message : String(error) });
      }
    });
    return begun;
  }

  async hold(call: Call, held: boolean): Promise<void> {
    await call
      .setHeld(held)
      .catch(() => this.notices.show(held ? "The call could not be put on hold." : "The call could not be resumed.", "error"));
  }

  /** Uses another microphone from now on, also in calls; one that began without a microphone gets it. */
  async changeMicrophone(next: MicrophoneSettings): Promise<void> {
    this.sound.chooseMicrophone(next);
    for (const call of this.active.peek()) {
      if (!call.pc) continue;
      try {
        await call.useMicrophone(await openMicrophone(next));
      } catch (error) {
        this.notices.show(microphoneTrouble(error).sentence, "error");
      }
    }
  }

  /** Opens the microphone and goes on with it; where that fails, asks the person how. */
  async withMicrophone(go: (stream: MediaStream, listening: boolean) => void): Promise<void> {
    this.trouble.value = undefined;
    try {
      const stream = await openMicrophone(this.sound.microphone.peek());
      void this.audio.devices.refresh();
      go(stream, false);
    } catch (error) {
      this.ask(error, {
        retry: () => void this.withMicrophone(go),
        goOn: () => go(this.audio.silence(), true),
      });
    }
  }

  /** Puts an error of the microphone before the person, with the ways on. */
  ask(error: unknown, ways: Pick<Trouble, "retry" | "goOn">): void {
    const then = (go: () => void) => () => {
      this.trouble.value = undefined;
      go();
    };
    this.trouble.value = {
      sentence: microphoneTrouble(error).sentence,
      retry: then(ways.retry),
      goOn: then(ways.goOn),
      giveUp: then(() => undefined),
    };
  }

  private make(direction: "in" | "out", peer: string, name: string): Call {
    return new Call(this.nextId++, direction, peer, name, this.audio.speaker, (call, end, was) => this.ended(call, end, was));
  }

  private begin(call: Call, stream: MediaStream, listening: boolean): void {
    batch(() => {
      this.handler.begins(call);
      if (!this.calls.peek().includes(call)) this.ring(call);
    });
    call.listening.value = listening;
    call.answer(stream);
  }

  private ended(call: Call, end: End, was: CallState): void {
    // One that was refused, or went before it could be answered at once, was never there.
    if (!this.calls.peek().includes(call)) return;
    batch(() => {
      this.calls.value = this.calls.peek().filter((other) => other !== call);
      this.handler.ended(call, end, was);
    });
    if (call.answeredAt.peek() !== undefined && end.by !== "us") this.audio.tones.playEnd();
  }
}
