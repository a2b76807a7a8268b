// What a test wants to know of a recording that has a tone in some places.
import { fromMulaw } from "./g711.mjs";
import { heard } from "./lateness.mjs";
import { amplitudeAt, measureTone, peakOfRms, strongest } from "./tone.mjs";

/** Level of a sine wave in dBm0 as decibels under a full-scale one: G.711's loudest sine is +3.17 dBm0. */
export const dbOfDbm0 = (dbm0) => dbm0 - 3.17;

const BLOCK = 0.02;
/** Peak of a sine wave that is as loud as the least that one hears. */
const AUDIBLE = 0.002;

/** Samples of 20 ms, by which tones are found. */
export const blockSize = (rate) => Math.round(rate * BLOCK);

/** Which 20 ms blocks have the tone, above -46 dB. */
function blocksOf(samples, rate, frequency) {
  const size = blockSize(rate);
  const blocks = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    const amplitude = amplitudeAt(samples, frequency, rate, at, at + size);
    blocks.push(amplitude > 0.005 && amplitude > 0.7 * peakOfRms(samples, at, at + size));
  }
  return blocks;
}

/** Seconds of the tone, wherever they are. */
export function toneSeconds(samples, rate, frequency) {
  return blocksOf(samples, rate, frequency).filter(Boolean).length * BLOCK;
}

/** Stretches of the tone: [{ from, to }] in seconds; silences up to `bridge` seconds do not divide them. */
export function stretches(samples, rate, frequency, bridge = 0.2) {
  return joined(blocksOf(samples, rate, frequency), bridge);
}

function joined(blocks, bridge) {
  const found = [];
  blocks.forEach((has, n) => {
    if (!has) return;
    const [from, to] = [n * BLOCK, (n + 1) * BLOCK];
    const last = found.at(-1);
    if (last && from - last.to <= bridge) last.to = to;
    else found.push({ from, to });
  });
  return found;
}

/** Stretches in which anything is heard, as `stretches`. */
export function sounds(samples, rate, bridge = 0.2) {
  const size = blockSize(rate);
  const blocks = Array.from(
    { length: Math.floor(samples.length / size) },
    (_, n) => peakOfRms(samples, n * size, (n + 1) * size) > AUDIBLE,
  );
  return joined(blocks, bridge);
}

/** Level, purity, frequency and gaps of the tone from its first to its last block, without 60 ms at either end. */
export function toneIn(samples, rate, frequency) {
  const blocks = blocksOf(samples, rate, frequency);
  const size = blockSize(rate);
  const first = blocks.indexOf(true) + 3;
  const last = blocks.lastIndexOf(true) - 2;
  if (last - first < 5) return { seconds: 0, db: -Infinity, frequency: 0, purity: 0, longestGap: Infinity };
  const piece = samples.subarray(first * size, last * size);
  return { ...measureTone(piece, rate, frequency), frequency: strongest(piece, rate).frequency };
}

/** What a test says about a tone: there, right, at its level, without gaps. */
export function isTone(assert, found, { frequency, db, seconds = 1, gap = 60, within = 0.5 }) {
  const text = JSON.stringify(found);
  heard(() => {
    assert.ok(found.seconds >= seconds, `${seconds} s of ${frequency} Hz: ${text}`);
    assert.ok(Math.abs(found.frequency - frequency) < 2, `${frequency} Hz: ${text}`);
    assert.ok(Math.abs(found.db - db) <= within, `${db} dB: ${text}`);
    assert.ok(found.longestGap <= gap, `no gap over ${gap} ms: ${text}`);
  });
}

/** What a packet of G.711 mu-law carries: 'tone', something else that sounds ('music'), or 'silence'. */
function kindOf({ payload }, frequency) {
  const samples = Float32Array.from(payload, fromMulaw);
  const peak = peakOfRms(samples, 0, samples.length);
  const amplitude = amplitudeAt(samples, frequency, 8_000, 0, samples.length);
  if (amplitude > 0.005 && amplitude > 0.7 * peak) return "tone";
  return peak > AUDIBLE ? "music" : "silence";
}

/** When the first of three packets in a row came that carry this, at or after `since` (ms since 1970). */
export function firstHeard(packets, what, since, frequency) {
  const are = packets.map((packet) => packet.at >= since && packet.type === 0 && kindOf(packet, frequency) === what);
  return packets.find((_, n) => are[n] && are[n + 1] && are[n + 2])?.at;
}
