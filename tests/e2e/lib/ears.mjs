// What a page of somebody else's making hears in its calls: the sound of its last peer connection, without touching the page's code.
import { measureTone } from "./tone.mjs";

function install() {
  if (window.cordboardEars) return;
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = ({ audio: { deviceId } }) =>
    open({ audio: { deviceId, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const ears = { analyser: undefined, context: undefined };
  window.cordboardEars = ears;
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...settings) {
      super(...settings);
      this.addEventListener("track", ({ track }) => {
        ears.context ??= new AudioContext();
        const { context } = ears;
        ears.analyser = context.createAnalyser();
        ears.analyser.fftSize = 32_768;
        context.createMediaStreamSource(new MediaStream([track])).connect(ears.analyser);
      });
    }
  };
}

/**
 * From now on, over reloads as well. Before the page makes its first call. Its microphone is left as it is: what makes speech out of noise
 * makes silence out of a tone.
 */
export async function listenIn(page) {
  await page.evaluateOnNewDocument(install);
  await page.evaluate(install);
}

/** Levels of these tones in the last two thirds of a second, dB relative to a full-scale sine wave. */
export async function levels(page, frequencies) {
  const { rate, samples } = await page.evaluate(() => {
    const { analyser } = window.cordboardEars;
    if (!analyser) return { rate: 48_000, samples: new Array(32_768).fill(0) };
    const data = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(data);
    return { rate: analyser.context.sampleRate, samples: Array.from(data) };
  });
  return frequencies.map((frequency) => measureTone(Float32Array.from(samples), rate, frequency).db);
}
