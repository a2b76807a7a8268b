// A tone to send and ears to hear with, for pages under test.

let context;

export async function audioContext() {
  if (!context) {
    context = new AudioContext();
    await context.audioWorklet.addModule("/capture.js");
  }
  if (context.state !== "running") await context.resume();
  return context;
}

/** A microphone that hears a tone, made here: for browsers whose fake one cannot be told what to play. */
export async function toneStream(frequency, amplitude) {
  const context = await audioContext();
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  const destination = context.createMediaStreamDestination();
  destination.channelCount = 1;
  oscillator.frequency.value = frequency;
  gain.gain.value = amplitude;
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  return destination.stream;
}

/** The browser's own (fake) microphone, without anything that changes levels. */
export function microphone() {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return navigator.mediaDevices.getUserMedia({ audio });
}

/** Keeps what a stream sounds like, at most the last minute. */
export class Ears {
  static async on(stream) {
    const context = await audioContext();
    const ears = new Ears(context.sampleRate);
    // Chromium feeds a remote stream into Web Audio only while an element plays it.
    ears.element = document.createElement("audio");
    ears.element.srcObject = stream;
    ears.element.muted = true;
    document.body.append(ears.element);
    await ears.element.play().catch(() => undefined);
    ears.source = context.createMediaStreamSource(stream);
    ears.node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
    ears.node.port.onmessage = ({ data }) => ears.keep(data);
    ears.source.connect(ears.node).connect(context.destination);
    return ears;
  }

  constructor(rate) {
    this.rate = rate;
    this.blocks = [];
    this.count = 0;
    this.total = 0;
  }

  keep(block) {
    this.blocks.push(block);
    this.count += block.length;
    this.total += block.length;
    while (this.count > 60 * this.rate) this.count -= this.blocks.shift().length;
  }

  forget() {
    this.blocks = [];
    this.count = 0;
  }

  /** 16-bit samples but for the first `from`, base64: small enough to hand to the test. */
  get(from = 0) {
    const samples = new Int16Array(Math.max(0, this.count - from));
    let at = -from;
    for (const block of this.blocks) {
      for (let n = Math.max(0, -at); n < block.length; n++)
        samples[at + n] = Math.round(Math.max(-1, Math.min(1, block[n])) * 32767);
      at += block.length;
    }
    const octets = new Uint8Array(samples.buffer);
    let text = "";
    for (let n = 0; n < octets.length; n += 0x8000) text += String.fromCharCode(...octets.subarray(n, n + 0x8000));
    return { rate: this.rate, samples: btoa(text) };
  }

  close() {
    this.source.disconnect();
    this.node.disconnect();
    this.element.remove();
  }
}
