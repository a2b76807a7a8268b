// ITU-T G.711 mu-law, for the scripted phone.

const BIAS = 0x84;
const CLIP = 32_635;

/** A sample of -1..1 as one octet. */
export function toMulaw(sample) {
  let value = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
  const sign = value < 0 ? 0x80 : 0;
  value = Math.min(Math.abs(value), CLIP) + BIAS;
  let exponent = 7;
  for (let mask = 0x4000; exponent > 0 && !(value & mask); mask >>= 1) exponent--;
  return ~(sign | (exponent << 4) | ((value >> (exponent + 3)) & 0x0f)) & 0xff;
}

const decoded = new Float32Array(256);
for (let octet = 0; octet < 256; octet++) {
  const bits = ~octet & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + BIAS) << ((bits & 0x70) >> 4)) - BIAS;
  decoded[octet] = (bits & 0x80 ? -magnitude : magnitude) / 32_768;
}

/** An octet as a sample of -1..1. */
export function fromMulaw(octet) {
  return decoded[octet];
}
