// One call as the page shows it: its state as signals, and what its buttons do.
import { signal } from "@preact/signals";
import { closeMicrophone, replaceMicrophone } from "./audio/microphone";
import * as speaker from "./audio/speaker";
import type { CallListener, End, PhoneCall } from "./phone/phone";
import { type FarQuality, farQuality, type Quality, qualityBetween, readSample, type Sample } from "./quality";

/**
 * - `calling`: our INVITE is out; `ringing`: the far end rings; `early`: it sends sound before it answers
 * - `incoming`: it rings here; `answering`: we said yes; `talking`; `over`
 */
export type CallState = "calling" | "ringing" | "early" | "incoming" | "answering" | "talking" | "over";

const SAMPLE_MS = 1000;
/** While it rings: how soon the far end's own sound is noticed. */
const EARLY_MS = 200;
/** Samples without a packet after which the page says so. */
const SILENT_SAMPLES = 3;

export class Call {
  readonly state = signal<CallState>("calling");
  readonly muted = signal(false);
  readonly held = signal(false);
  /** The other side put us on hold. */
  readonly farHeld = signal(false);
  /** Milliseconds since 1970 at which it was answered. */
  readonly answeredAt = signal<number | undefined>(undefined);
  readonly digits = signal("");
  /** Keys that the other side pressed. */
  readonly farDigits = signal("");
  /** The far leg's quality, where the gateway tells. */
  readonly far = signal<FarQuality | undefined>(undefined);
  readonly quality = signal<Quality | undefined>(undefined);
  /** Nothing is heard though it should be. */
  readonly silent = signal(false);
  readonly microphone = signal<MediaStream | undefined>(undefined);
  readonly remote = signal<MediaStream | undefined>(undefined);
  /** True where no microphone was to be had. */
  readonly listening = signal(false);
  /** A hold or resume is under way. */
  readonly changing = signal(false);

  pc: RTCPeerConnection | undefined;
  readonly begun = Date.now();
  private wire!: PhoneCall;
  private sample: Sample | undefined;
  private silentSamples = 0;
  private sampler: ReturnType<typeof setInterval> | undefined;

  constructor(
    readonly id: number,
    readonly direction: "in" | "out",
    readonly peer: string,
    readonly name: string,
    private readonly over: (call: Call, end: End) => void,
  ) {
    if (direction === "in") this.state.value = "incoming";
  }

  /** What the SIP library reports of this call. */
  readonly listener: CallListener = {
    ringing: () => {
      if (this.state.value === "calling") this.state.value = "ringing";
    },
    answered: () => {
      if (this.state.value === "talking" || this.state.value === "over") return;
      this.state.value = "talking";
      clearInterval(this.sampler);
      if (this.pc) this.sampleEvery(SAMPLE_MS, this.pc);
      this.answeredAt.value = Date.now();
    },
    ended: (end) => this.finish(end),
    connection: (pc) => this.watch(pc),
    digit: (digit) => {
      this.farDigits.value += digit;
    },
  };

  attach(wire: PhoneCall): void {
    this.wire = wire;
    wire.listener = this.listener;
  }

  answer(microphone: MediaStream): void {
    this.state.value = "answering";
    this.microphone.value = microphone;
    this.wire.answer(microphone);
  }

  hangUp(): void {
    this.wire.hangUp();
  }

  rejectBusy(): void {
    this.wire.rejectBusy();
  }

  toggleMute(): void {
    this.muted.value = !this.muted.value;
    this.wire.setMuted(this.muted.value);
  }

  async setHeld(held: boolean): Promise<void> {
    if (this.state.value !== "talking" || this.held.value === held || this.changing.value) return;
    this.changing.value = true;
    try {
      await this.wire.setHeld(held);
      this.held.value = held;
    } finally {
      this.changing.value = false;
    }
  }

  sendDigit(digit: string): void {
    this.digits.value += digit;
    this.wire.sendDigit(digit);
  }

  async useMicrophone(stream: MediaStream): Promise<void> {
    if (!this.pc) return closeMicrophone(stream);
    await replaceMicrophone(this.pc, stream);
    closeMicrophone(this.microphone.value);
    this.microphone.value = stream;
    this.listening.value = false;
  }

  get seconds(): number {
    return this.answeredAt.value === undefined ? 0 : (Date.now() - this.answeredAt.value) / 1000;
  }

  private watch(pc: RTCPeerConnection): void {
    if (this.pc === pc) return;
    this.pc = pc;
    pc.addEventListener("track", ({ track, streams }) => {
      if (track.kind !== "audio") return;
      const stream = streams[0] ?? new MediaStream([track]);
      if (this.remote.value !== stream) speaker.stop(this.remote.value);
      this.remote.value = stream;
      speaker.play(stream);
    });
    pc.addEventListener("signalingstatechange", () => {
      if (pc.signalingState !== "stable") return;
      const direction = pc.getTransceivers()[0]?.currentDirection;
      this.farHeld.value = direction === "inactive" || (direction === "recvonly" && !this.held.value);
    });
    this.sampleEvery(EARLY_MS, pc);
  }

  private sampleEvery(ms: number, pc: RTCPeerConnection): void {
    this.sampler = setInterval(() => this.measure(pc), ms);
  }

  private async measure(pc: RTCPeerConnection): Promise<void> {
    const report = await pc.getStats().catch(() => undefined);
    if (!report) return;
    const before = this.sample;
    this.sample = readSample(report.values(), Date.now());
    // A description in a 180 promises nothing: the far end's own ringing is there once it is heard.
    const waiting = this.state.value === "calling" || this.state.value === "ringing";
    if (waiting && this.sample.packetsReceived > 0) this.state.value = "early";
    if (!before || this.state.value !== "talking") return;
    void this.askGateway();
    this.quality.value = qualityBetween(before, this.sample);
    const expected = !this.held.value && !this.farHeld.value;
    this.silentSamples = expected && this.quality.value.silent ? this.silentSamples + 1 : 0;
    this.silent.value = this.silentSamples >= SILENT_SAMPLES;
  }

  /** What the gateway hears of the other leg. */
  private async askGateway(): Promise<void> {
    try {
      const answer = await fetch(`api/v1/calls/${encodeURIComponent(this.wire.callId)}/quality`);
      if (answer.ok) this.far.value = farQuality(await answer.json(), this.direction);
    } catch {
      // The gateway is away, or another one than served the page: the call goes on without these figures.
    }
  }

  private finish(end: End): void {
    if (this.state.value === "over") return;
    this.state.value = "over";
    clearInterval(this.sampler);
    speaker.stop(this.remote.value);
    closeMicrophone(this.microphone.value);
    this.over(this, end);
  }
}
