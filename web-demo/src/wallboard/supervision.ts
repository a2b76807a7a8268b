// Listening, whispering, barging in: the supervisor's own phone, which is there only as long as it is needed.
import { signal } from "@preact/signals";
import { closeMicrophone, openMicrophone } from "../audio/microphone";
import type { PageAudio } from "../audio/page_audio";
import type { Ask } from "../centre/api";
import { LentLine, type LoadLibrary } from "../centre/lent_line";
import type { PhoneCall } from "../phone/phone";
import type { Notices } from "../ui/shell/notices";
import { Call } from "../voice/call";
import { SoundSettings } from "../voice/sound_settings";
import { microphoneTrouble } from "../words";
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

/** Time that the phone may take to register, and the gateway to call it. */
const READY_MS = 15_000;

export class Supervision {
  readonly watching = signal<Watching | undefined>(undefined);
  /** The next mode is being asked for. */
  readonly changing = signal(false);
  private readonly line: LentLine;
  private readonly sound: SoundSettings;
  private microphone: MediaStream | undefined;
  private legs = 0;

  constructor(
    private readonly audio: PageAudio,
    private readonly ask: Ask,
    private readonly notices: Notices,
    tab: () => string,
    library?: LoadLibrary,
  ) {
    this.sound = new SoundSettings(audio);
    this.line = new LentLine(ask, tab, (wire) => this.incoming(wire), library);
  }

  /** Begins, or goes on in another way. From within a click: the browser lets the page sound. */
  async watch(wanted: Omit<Watching, "leg">): Promise<void> {
    if (this.changing.peek()) return;
    this.changing.value = true;
    this.audio.context();
    try {
      const before = this.watching.peek();
      if (before && before.call !== wanted.call) await this.stop();
      if (wanted.mode !== "listen" && !(await this.readyToSpeak())) return;
      const already = this.watching.peek();
      if (!already) {
        this.watching.value = { ...wanted, leg: undefined };
        await this.openLine();
      }
      await this.ask("PUT", "/calls/{id}/supervision", { path: { id: wanted.call }, body: { mode: wanted.mode } });
      if (already) this.watching.value = { ...already, ...wanted };
      else setTimeout(() => this.expectLeg(wanted.call), READY_MS);
    } catch (error) {
      this.notices.fail(error);
      if (!this.watching.peek()?.leg) void this.stop();
    } finally {
      this.changing.value = false;
    }
  }

  readonly stop = async (): Promise<void> => {
    const now = this.watching.peek();
    this.watching.value = undefined;
    if (now) await this.ask("DELETE", "/calls/{id}/supervision", { path: { id: now.call } }).catch(() => undefined);
    now?.leg?.hangUp();
    await this.closeLine();
  };

  /** The gateway has had its time to call. */
  private expectLeg(call: string): void {
    const now = this.watching.peek();
    if (now?.call !== call || now.leg) return;
    this.notices.show(W.phoneFailed, "error");
    void this.stop();
  }

  /** A call of which only the sound was wanted has no microphone yet. */
  private async readyToSpeak(): Promise<boolean> {
    if (this.microphone) return true;
    try {
      this.microphone = await openMicrophone(this.sound.microphone.peek());
    } catch (error) {
      this.notices.show(microphoneTrouble(error).sentence, "error");
      return false;
    }
    await this.watching.peek()?.leg?.useMicrophone(this.microphone);
    return true;
  }

  /** Resolves when the phone is registered. @throws when it takes too long. */
  private openLine(): Promise<void> {
    this.audio.speaker.use(this.sound.speaker.peek());
    const { registration } = this.line;
    if (!registration.peek()) void this.line.open();
    return new Promise((resolve, reject) => {
      let over: () => void = () => undefined;
      const timer = setTimeout(() => {
        over();
        reject(new Error(W.phoneFailed));
      }, READY_MS);
      over = registration.subscribe((state) => {
        if (state?.state !== "registered") return;
        clearTimeout(timer);
        queueMicrotask(() => over());
        resolve();
      });
    });
  }

  private async closeLine(): Promise<void> {
    closeMicrophone(this.microphone);
    this.microphone = undefined;
    await this.line.close();
  }

  private incoming(wire: PhoneCall): void {
    const now = this.watching.peek();
    const ours = /answer-after\s*=\s*0/i.test(wire.header("Call-Info") ?? "") && wire.header("X-Cordboard-Call") === now?.call;
    // Somebody calls the supervisor: that is for the telephone or the agent desktop.
    if (!now || !ours) return;
    const leg = new Call(++this.legs, "in", wire.peer, wire.peerName, this.audio.speaker, (over) => {
      if (this.watching.peek()?.leg !== over) return;
      this.watching.value = undefined;
      this.notices.show(W.callOver, "error");
      void this.closeLine();
    });
    leg.attach(wire);
    leg.listening.value = this.microphone === undefined;
    leg.answer(this.microphone ?? this.audio.silence());
    this.watching.value = { ...now, leg };
  }
}
