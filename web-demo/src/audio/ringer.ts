// The ring tone: from an audio element, because only that can sound on a device of its own.
import { signal } from "@preact/signals";
import { canChooseSpeaker } from "./devices";

const RATE = 16_000;
/** Two notes and a pause. */
const NOTES: readonly [hertz: number, seconds: number][] = [
  [440, 0.45],
  [554, 0.45],
  [0, 1.5],
];
const LEVEL = 0.5;
/** Seconds of rise and fall, so that nothing clicks. */
const RAMP = 0.012;

export class Ringer {
  /** The browser wants a click before it lets the page ring. */
  readonly blocked = signal(false);
  private element: HTMLAudioElement | undefined;

  /** Rings on a device (empty: the browser's choice) with a volume of 0..1 until it is stopped. */
  start(device: string, volume: number): void {
    const ringer = this.audio();
    ringer.volume = volume;
    if (canChooseSpeaker) ringer.setSinkId(device).catch(() => undefined);
    ringer.currentTime = 0;
    ringer
      .play()
      .then(() => {
        this.blocked.value = false;
      })
      .catch((error: Error) => {
        // Stopped before it began is no refusal.
        if (error.name === "NotAllowedError") this.blocked.value = true;
      });
  }

  stop(): void {
    this.element?.pause();
  }

  private audio(): HTMLAudioElement {
    if (!this.element) {
      this.element = new Audio(URL.createObjectURL(new Blob([wav(samples())], { type: "audio/wav" })));
      this.element.loop = true;
    }
    return this.element;
  }
}

/** One turn of the ring tone, -1..1. */
export function samples(): Float32Array {
  const total = NOTES.reduce((sum, [, seconds]) => sum + seconds, 0);
  const out = new Float32Array(Math.round(total * RATE));
  let start = 0;
  for (const [hertz, seconds] of NOTES) {
    const length = Math.round(seconds * RATE);
    for (let n = 0; hertz && n < length; n++) {
      const ramp = Math.min(1, n / (RAMP * RATE), (length - n) / (RAMP * RATE));
      out[start + n] = LEVEL * ramp * Math.sin((2 * Math.PI * hertz * n) / RATE);
    }
    start += length;
  }
  return out;
}

/** 16 bit, one channel. */
function wav(samples: Float32Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at: number, word: string) => {
    for (let n = 0; n < word.length; n++) view.setUint8(at + n, word.charCodeAt(n));
  };
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, 2 * RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (const [n, sample] of samples.entries()) view.setInt16(44 + 2 * n, Math.round(32_767 * sample), true);
  return view.buffer as ArrayBuffer;
}
