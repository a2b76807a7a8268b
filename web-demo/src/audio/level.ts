// Loudness of a stream, many times a second.

/** Full scale is 0 dB; the meter's empty end. */
const FLOOR_DB = -60;

/** 0..1 along the meter for samples of -1..1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length || 1e-12);
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Calls `show` with each new level until the returned function is called. */
export function watchLevel(context: AudioContext, stream: MediaStream, show: (level: number) => void): () => void {
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  const source = context.createMediaStreamSource(stream);
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let shown = 0;
  let frame = requestAnimationFrame(function next() {
    analyser.getFloatTimeDomainData(samples);
    // Up at once, down slowly: readable, and a short word still shows.
    shown = Math.max(levelOf(samples), shown - 0.02);
    show(shown);
    frame = requestAnimationFrame(next);
  });
  return () => {
    cancelAnimationFrame(frame);
    source.disconnect();
  };
}
