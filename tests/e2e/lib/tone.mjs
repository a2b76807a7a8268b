// Tones: made, written, read, and found again in what was heard. Samples are Float32Array or number[], full scale 1.
import { readFileSync, writeFileSync } from "node:fs";

/** A sine wave. `amplitude` is its peak. */
export function sine(frequency, seconds, { rate = 48_000, amplitude = 0.25 } = {}) {
  const samples = new Float32Array(Math.round(seconds * rate));
  for (let n = 0; n < samples.length; n++) samples[n] = amplitude * Math.sin((2 * Math.PI * frequency * n) / rate);
  return samples;
}

/** Decibels relative to a full-scale sine wave, of a sine wave with this peak. */
export const dbOfPeak = (amplitude) => 20 * Math.log10(amplitude);

/** 16-bit mono. */
export function writeWav(path, samples, rate) {
  const data = Buffer.alloc(44 + 2 * samples.length);
  data.write("RIFF", 0, "latin1");
  data.writeUInt32LE(36 + 2 * samples.length, 4);
  data.write("WAVEfmt ", 8, "latin1");
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * rate, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36, "latin1");
  data.writeUInt32LE(2 * samples.length, 40);
  for (let n = 0; n < samples.length; n++) {
    const value = Math.max(-1, Math.min(1, samples[n]));
    data.writeInt16LE(Math.round(value * 32_767), 44 + 2 * n);
  }
  writeFileSync(path, data);
}

/** First channel of a 16-bit WAV file, also of one that is still being written. */
export function readWav(path) {
  const data = readFileSync(path);
  if (data.toString("latin1", 0, 4) !== "RIFF") throw new Error(`${path} is no WAV file`);
  let rate = 0;
  let channels = 1;
  for (let at = 12; at + 8 <= data.length; ) {
    const id = data.toString("latin1", at, at + 4);
    const size = data.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === "fmt ") {
      channels = data.readUInt16LE(body + 2);
      rate = data.readUInt32LE(body + 4);
      if (data.readUInt16LE(body + 14) !== 16) throw new Error(`${path} is not 16-bit`);
    } else if (id === "data") {
      const end = size === 0 || size === 0xffffffff ? data.length : Math.min(data.length, body + size);
      const count = Math.floor((end - body) / (2 * channels));
      const samples = new Float32Array(count);
      for (let n = 0; n < count; n++) samples[n] = data.readInt16LE(body + 2 * channels * n) / 32_768;
      return { samples, rate };
    }
    at = body + size + (size & 1);
  }
  throw new Error(`${path} has no samples`);
}

/** Peak of the sine wave of this frequency in the samples, by Goertzel's algorithm under a Hann window. */
export function amplitudeAt(samples, frequency, rate, from = 0, to = samples.length) {
  const count = to - from;
  const step = (2 * Math.PI * frequency) / rate;
  const coefficient = 2 * Math.cos(step);
  let before = 0;
  let last = 0;
  let weight = 0;
  for (let n = 0; n < count; n++) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (n + 0.5)) / count);
    weight += window;
    const value = samples[from + n] * window + coefficient * last - before;
    before = last;
    last = value;
  }
  const power = last * last + before * before - coefficient * last * before;
  return (2 * Math.sqrt(Math.max(0, power))) / weight;
}

/** Root mean square of the samples, as the peak of a sine wave that has it. */
export function peakOfRms(samples, from = 0, to = samples.length) {
  let sum = 0;
  for (let n = from; n < to; n++) sum += samples[n] * samples[n];
  return Math.sqrt((2 * sum) / Math.max(1, to - from));
}

/** Amplitudes of sine waves at multiples of `rate / size`, `size` being a power of two, under a Hann window: { step, amplitudes }. */
function spectrum(samples, rate) {
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, samples.length)));
  const [real, imaginary] = [new Float64Array(size), new Float64Array(size)];
  const reverse = new Uint32Array(size);
  for (let n = 1; n < size; n++) reverse[n] = (reverse[n >> 1] >> 1) | (n & 1 ? size >> 1 : 0);
  let weight = 0;
  for (let n = 0; n < samples.length; n++) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (n + 0.5)) / samples.length);
    weight += window;
    real[reverse[n]] = samples[n] * window;
  }
  for (let half = 1; half < size; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [cos, sin] = [Math.cos((-Math.PI * k) / half), Math.sin((-Math.PI * k) / half)];
      for (let low = k; low < size; low += 2 * half) {
        const high = low + half;
        const x = real[high] * cos - imaginary[high] * sin;
        const y = real[high] * sin + imaginary[high] * cos;
        real[high] = real[low] - x;
        imaginary[high] = imaginary[low] - y;
        real[low] += x;
        imaginary[low] += y;
      }
    }
  }
  return {
    step: rate / size,
    amplitudes: Float64Array.from({ length: size / 2 }, (_, k) => (2 * Math.hypot(real[k], imaginary[k])) / weight),
  };
}

/** The strongest frequency between `low` and `high`, to a tenth of a hertz where the samples are long enough. */
export function strongest(samples, rate, low = 100, high = Math.min(3800, rate / 2)) {
  const piece = samples.length > rate ? samples.subarray(samples.length - rate) : samples;
  let best = { frequency: 0, amplitude: 0 };
  const { step, amplitudes } = spectrum(piece, rate);
  for (let k = Math.ceil(low / step); k * step <= high && k < amplitudes.length; k++) {
    if (amplitudes[k] > best.amplitude) best = { frequency: k * step, amplitude: amplitudes[k] };
  }
  for (let fine = step / 4; fine > 0.05 / 4; fine /= 4) {
    const { frequency: middle } = best;
    for (let n = -4; n <= 4; n++) {
      const frequency = middle + n * fine;
      const amplitude = amplitudeAt(piece, frequency, rate);
      if (amplitude > best.amplitude) best = { frequency, amplitude };
    }
  }
  return best;
}

/**
 * What is heard of a steady tone.
 * - `db`: level of the tone, relative to a full-scale sine wave, over the good windows
 * - `purity`: share 0..1 of all energy that is the tone
 * - `gaps`: stretches in which the tone is more than 6 dB down, in ms: [{ at, length }]
 */
export function measureTone(samples, rate, frequency, { window = 0.01 } = {}) {
  const size = Math.round(window * rate);
  const count = Math.floor(samples.length / size);
  const levels = new Float64Array(count);
  for (let n = 0; n < count; n++) levels[n] = amplitudeAt(samples, frequency, rate, n * size, (n + 1) * size);
  const sorted = Float64Array.from(levels).sort();
  const usual = sorted[Math.floor(count * 0.6)] || 0;
  const gaps = [];
  let begun = -1;
  let good = 0;
  let energy = 0;
  for (let n = 0; n <= count; n++) {
    const low = n < count && levels[n] < usual / 2;
    if (low && begun < 0) begun = n;
    if (!low && begun >= 0) {
      gaps.push({ at: begun * window * 1000, length: (n - begun) * window * 1000 });
      begun = -1;
    }
    if (n < count && !low) {
      good++;
      energy += levels[n] * levels[n];
    }
  }
  const level = good ? Math.sqrt(energy / good) : 0;
  return {
    db: 20 * Math.log10(level || 1e-9),
    purity: purityOf(samples, rate, frequency),
    gaps,
    longestGap: gaps.reduce((longest, gap) => Math.max(longest, gap.length), 0),
    seconds: (count * size) / rate,
  };
}

/** In pieces of 50 ms: a browser's jitter buffer shifts the phase now and then, which is nothing that one hears. */
function purityOf(samples, rate, frequency) {
  const size = Math.round(0.05 * rate);
  let tone = 0;
  let all = 0;
  for (let at = 0; at + size <= samples.length; at += size) {
    tone += amplitudeAt(samples, frequency, rate, at, at + size) ** 2;
    all += peakOfRms(samples, at, at + size) ** 2;
  }
  return all > 0 ? Math.min(1, tone / all) : 0;
}

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ["123A", "456B", "789C", "*0#D"];

/**
 * The DTMF digits in the samples, in order. Browsers play 50 ms of a digit and let it fade where nothing follows, so
 * three steps of 5 ms are enough, and the same digit counts again only after 20 ms of silence.
 */
export function digitsIn(samples, rate) {
  const size = Math.round(0.02 * rate);
  const step = Math.round(0.005 * rate);
  let digits = "";
  let current = "";
  let run = 0;
  let silence = 4;
  for (let at = 0; at + size <= samples.length; at += step) {
    const level = peakOfRms(samples, at, at + size);
    silence = level < 0.03 ? silence + 1 : silence;
    const digit = level < 0.05 ? "" : digitAt(samples, rate, at, at + size, level);
    run = digit === current ? run + 1 : 1;
    current = digit;
    if (digit && run === 3 && (digit !== digits.at(-1) || silence >= 4)) digits += digit;
    if (digit && run >= 3) silence = 0;
  }
  return digits;
}

function digitAt(samples, rate, from, to, level) {
  const strengths = (list) => list.map((frequency) => amplitudeAt(samples, frequency, rate, from, to));
  const [row, column] = [strengths(ROWS), strengths(COLUMNS)];
  const [low, high] = [Math.max(...row), Math.max(...column)];
  const clear = low ** 2 + high ** 2 > 0.7 * level ** 2 && Math.min(low, high) > 0.3 * Math.max(low, high);
  return clear ? KEYS[row.indexOf(low)][column.indexOf(high)] : "";
}
