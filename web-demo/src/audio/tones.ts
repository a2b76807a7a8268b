// Sounds that the page makes itself: ringing, ringback, keys, and the end of a call.

/** Keys of each row with its frequency, and the frequencies of the columns. */
const ROWS: readonly [keys: string, hertz: number][] = [
  ["123A", 697],
  ["456B", 770],
  ["789C", 852],
  ["*0#D", 941],
];
const COLUMNS = [1209, 1336, 1477, 1633];

export function dtmfFrequencies(digit: string): [number, number] | undefined {
  for (const [keys, row] of ROWS) {
    const column = COLUMNS[keys.indexOf(digit)];
    if (column !== undefined) return [row, column];
  }
  return undefined;
}

export class Tones {
  constructor(private readonly context: () => AudioContext) {}

  /** A short, quiet confirmation of a pressed key. */
  playKey(digit: string): void {
    const frequencies = dtmfFrequencies(digit);
    if (frequencies) this.pulse(frequencies, this.context().currentTime, 0.12, 0.04);
  }

  playEnd(): void {
    const { currentTime } = this.context();
    for (const n of [0, 1, 2]) this.pulse([425], currentTime + n * 0.35, 0.2, 0.04);
  }

  /** Rings until the returned function is called. */
  ring(kind: "incoming" | "ringback"): () => void {
    const [frequencies, length, period, gain]: [number[], number, number, number] =
      kind === "incoming" ? [[440, 554], 0.9, 2.4, 0.09] : [[425], 1, 4, 0.04];
    let stop: (() => void)[] = [];
    const once = () => {
      const start = this.context().currentTime;
      stop = frequencies.map((hertz, n) => this.pulse([hertz], start + (n * length) / 2, length / frequencies.length, gain));
    };
    once();
    const timer = setInterval(once, period * 1000);
    return () => {
      clearInterval(timer);
      for (const end of stop) end();
    };
  }

  /** Plays frequencies (Hz) together from a time of the context on; times in seconds, level 0..1. */
  private pulse(frequencies: readonly number[], start: number, seconds: number, level: number): () => void {
    const context = this.context();
    const gain = context.createGain();
    gain.connect(context.destination);
    // Ramps of 8 ms: no clicks.
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(level, start + 0.008);
    gain.gain.setValueAtTime(level, start + seconds - 0.008);
    gain.gain.linearRampToValueAtTime(0, start + seconds);
    const oscillators = frequencies.map((hertz) => {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = hertz;
      oscillator.connect(gain);
      oscillator.start(start);
      oscillator.stop(start + seconds);
      return oscillator;
    });
    oscillators.at(-1)?.addEventListener("ended", () => gain.disconnect());
    return () => gain.disconnect();
  }
}
