// Recordings of the gateway.
import assert from "node:assert/strict";

/** The samples of both channels of a recording, and their rate. */
export function stereo(wav) {
  assert.equal(wav.toString("latin1", 0, 4), "RIFF");
  assert.equal(wav.readUInt16LE(22), 2);
  const count = wav.readUInt32LE(40) / 4;
  assert.equal(wav.length, 44 + 4 * count);
  const side = (at) => Float32Array.from({ length: count }, (_, n) => wav.readInt16LE(44 + 4 * n + at) / 32_768);
  return { left: side(0), right: side(2), rate: wav.readUInt32LE(24) };
}
