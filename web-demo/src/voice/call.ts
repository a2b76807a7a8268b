// One call as the page shows it: its state as signals, and what its buttons do.
import { signal } from "@preact/signals";
import { closeMicrophone, replaceMicrophone } from "../audio/microphone";
import type { Speaker } from "../audio/speaker";
import { type CallListener, type End, NO_ROUTE, type PhoneCall } from "../phone/phone";
import {
  type FarQuality,
  farQuality,
  type Quality,
  qualityBetween,
  readSample,
  type Sample,
  type Verdict,
  verdictOf,
} from "../quality";

/**
 * - `calling`: our INVITE is out; `ringing`: the far end rings; `early`: it sends sound before it answers
 * - `incoming`: it rings here; `answering`: we said yes; `talking`; `over`
 */
export type CallState = "calling" | "ringing" | "early" | "incoming" | "answering" | "talking" | "over";

const SAMPLE_MS = 1000;
/** While it rings: how soon the far end's own sound is noticed. */
const EARLY_MS = 200;
/** Samples without a packet after which the page says so. */
const SILENT_SAMPLES = 2;
/** Loss is that of the last so many samples. */
const WINDOW = 5;
/** Time that a call may look for a network path before the page says that there is none, and before it gives up. */
const NO_ROUTE_MS = 5_000;
const GIVE_UP_MS = 30_000;

export class Call {
  readonly state = signal<CallState>("calling");
  readonly muted = signal(false);
  readonly held = signal(false);
  /** The other side put us on hold. */
  readonly farHeld = signal(false);
  /** The other side lost its connection, and may come back. */
  readonly farAway = signal(false);
  /** Milliseconds since 1970 at which it was answered. */
  readonly answeredAt = signal<number | undefined>(undefined);
  readonly digits = signal("");
  /** Keys that the other side pressed. */
  readonly farDigits = signal("");
  /** The far leg's quality, where the gateway tells. */
  readonly far = signal<FarQuality | undefined>(undefined);
  readonly quality = signal<Quality | undefined>(undefined);
  /** Both legs together; undefined while nothing is to be heard. */
  readonly verdict = signal<Verdict | undefined>(undefined);
  /** Nothing is heard though it should be. */
  readonly silent = signal(false);
  readonly microphone = signal<MediaStream | undefined>(undefined);
  readonly remote = signal<MediaStream | undefined>(undefined);
  /** True where no microphone was to be had. */
  readonly listening = signal(false);
  /** A hold or resume is under way. */
  readonly changing = signal(false);
  /** The browser has found no address that sound could be sent from or to. */
  readonly routeless = signal(false);
  /** Target that the other side is being transferred to. */
  readonly transferring = signal<string | undefined>(undefined);

  /** Text that was typed to make this call; empty if it was not typed. */
  typed = "";
  pc: RTCPeerConnection | undefined;
  readonly begun = Date.now();
  private wire: PhoneCall | undefined;
  /** The last samples and answers of the gateway, oldest first. */
  private samples: Sample[] = [];
  private answers: FarQuality[] = [];
  private silentSamples = 0;
  private sampler: ReturnType<typeof setInterval> | undefined;
  private patience: ReturnType<typeof setTimeout> | undefined;
  /** True once the browser has an address of its own for the call. */
  private hasRoute = false;
  /** Hold, as the session description says. */
  private onHoldBySdp = false;

  constructor(
    readonly id: number,
    readonly direction: "in" | "out",
    readonly peer: string,
    readonly name: string,
    private readonly speaker: Speaker,
    private readonly over: (call: Call, end: End, was: CallState) => void,
  ) {
    if (direction === "in") this.state.value = "incoming";
  }

  /** Events that the SIP library reports for this call. */
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

  /** A header of the INVITE that came; undefined where it has none, and for calls that we made. */
  header(name: string): string | undefined {
    return this.wire?.header(name);
  }

  answer(microphone: MediaStream): void {
    this.state.value = "answering";
    this.microphone.value = microphone;
    this.wire?.answer(microphone);
  }

  hangUp(): void {
    this.wire?.hangUp();
  }

  rejectBusy(): void {
    this.wire?.rejectBusy();
  }

  /** Gives the other side to somebody else: to a target, or to the other side of another call. */
  transfer(to: string | Call, name: string, answered: (code: number) => void): void {
    if (this.state.value !== "talking" || this.transferring.value !== undefined) return;
    const target = typeof to === "string" ? to : to.wire;
    if (!target) return;
    this.transferring.value = name;
    this.wire?.transfer(target, (code) => {
      // 1xx: it goes on; 2xx: our call ends by itself.
      if (code >= 300) this.transferring.value = undefined;
      answered(code);
    });
  }

  toggleMute(): void {
    this.muted.value = !this.muted.value;
    this.wire?.setMuted(this.muted.value);
  }

  async setHeld(held: boolean): Promise<void> {
    if (this.state.value !== "talking" || this.held.value === held || this.changing.value) return;
    this.changing.value = true;
    try {
      await this.wire?.setHeld(held);
      this.held.value = held;
    } finally {
      this.changing.value = false;
    }
  }

  sendDigit(digit: string): void {
    this.digits.value += digit;
    this.wire?.sendDigit(digit);
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
      if (this.remote.value !== stream) this.speaker.stop(this.remote.value);
      this.remote.value = stream;
      this.speaker.play(stream);
    });
    pc.addEventListener("signalingstatechange", () => {
      if (pc.signalingState !== "stable") return;
      const direction = pc.getTransceivers()[0]?.currentDirection;
      this.onHoldBySdp = direction === "inactive" || (direction === "recvonly" && !this.held.value);
      this.farHeld.value = this.onHoldBySdp;
    });
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) this.hasRoute = true;
    });
    this.sampleEvery(EARLY_MS, pc);
    this.patience = setTimeout(() => this.judgeRoute(), NO_ROUTE_MS);
  }

  /** Without an address of its own a browser hears nothing, and one of the libraries waits for an address before it calls. */
  private judgeRoute(): void {
    if (this.state.value === "over" || this.hasRoute) return;
    this.routeless.value = true;
    this.patience = setTimeout(() => {
      if (this.state.value !== "calling" && this.state.value !== "answering") return;
      this.finish({ by: "network" });
      this.wire?.hangUp();
    }, GIVE_UP_MS - NO_ROUTE_MS);
  }

  private sampleEvery(ms: number, pc: RTCPeerConnection): void {
    this.sampler = setInterval(() => this.measure(pc), ms);
  }

  private async measure(pc: RTCPeerConnection): Promise<void> {
    const report = await pc.getStats().catch(() => undefined);
    if (!report) return;
    const sample = readSample(report.values(), Date.now());
    // A description in a 180 promises nothing: the far end's own ringing is there once it is heard.
    const waiting = this.state.value === "calling" || this.state.value === "ringing";
    if (waiting && sample.packetsReceived > 0) this.state.value = "early";
    const last = this.samples[this.samples.length - 1];
    const first = this.samples[0];
    this.samples = [...this.samples, sample].slice(-WINDOW);
    if (!last || this.state.value !== "talking") return;
    void this.askGateway();
    this.quality.value = { ...qualityBetween(first, sample), silent: qualityBetween(last, sample).silent };
    const expected = !this.held.value && !this.farHeld.value && !this.farAway.value;
    this.silentSamples = expected && this.quality.value.silent ? this.silentSamples + 1 : 0;
    this.silent.value = this.silentSamples >= SILENT_SAMPLES;
    // The first moment without a packet is not yet silence, and no reason to call the connection good.
    if (!expected || this.silent.value) this.verdict.value = undefined;
    else if (!this.quality.value.silent) this.verdict.value = verdictOf(this.quality.value, this.far.value);
  }

  /** Quality of the other leg, as the gateway reports it. */
  private async askGateway(): Promise<void> {
    try {
      const { callId = "", gatewayTag = "" } = this.wire ?? {};
      const answer = await fetch(`api/v1/calls/${encodeURIComponent(callId)}/quality?tag=${encodeURIComponent(gatewayTag)}`);
      if (!answer.ok) return;
      const far = farQuality(await answer.json(), this.direction, this.answers[0]);
      if (far) {
        const same = this.answers.every(({ received }) => received <= far.received);
        this.answers = [...(same ? this.answers : []), far].slice(-WINDOW);
      }
      this.far.value = far;
      this.farHeld.value = this.onHoldBySdp || far?.held === true;
      this.farAway.value = far?.away === true;
    } catch {
      // The gateway is away, or another one than served the page: the call goes on without these figures.
    }
  }

  private finish(end: End): void {
    const was = this.state.value;
    if (was === "over") return;
    this.state.value = "over";
    clearInterval(this.sampler);
    clearTimeout(this.patience);
    this.speaker.stop(this.remote.value);
    closeMicrophone(this.microphone.value);
    // Some browsers fail such a call before anybody could read that it finds no way.
    const routeless = end.by === "network" && this.pc !== undefined && !this.hasRoute;
    this.over(this, routeless ? { ...end, reason: NO_ROUTE } : end, was);
  }
}
