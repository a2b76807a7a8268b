// The parts of a browser that the pages' objects touch, for tests in Node.

/** A WebSocket on which only what the test says takes place. */
export class Wire {
  static made: Wire[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: string[] = [];

  constructor(readonly url: URL) {
    Wire.made.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {}

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** State that a test may change. */
export const browser = {
  stored: new Map<string, string>(),
  /** Name of the error with which the microphone is refused. */
  microphone: undefined as string | undefined,
  /** Microphones that are open. */
  open: 0,
  title: () => document.title,
};

const storage = {
  getItem: (key: string) => browser.stored.get(key) ?? null,
  setItem: (key: string, text: string) => void browser.stored.set(key, text),
};

class Track {
  enabled = true;
  readonly kind = "audio";
  stop(): void {
    browser.open -= 1;
  }
}

async function getUserMedia(): Promise<MediaStream> {
  if (browser.microphone) throw Object.assign(new Error("refused"), { name: browser.microphone });
  browser.open += 1;
  const tracks = [new Track()];
  return { getTracks: () => tracks, getAudioTracks: () => tracks } as unknown as MediaStream;
}

class Context {
  state = "running";
  currentTime = 0;
  readonly destination = {};
  createMediaStreamDestination() {
    return { stream: { getTracks: () => [], getAudioTracks: () => [] } };
  }
  createGain() {
    return { connect() {}, disconnect() {}, gain: { setValueAtTime() {}, linearRampToValueAtTime() {} } };
  }
  createOscillator() {
    return { frequency: {}, connect() {}, start() {}, stop() {}, addEventListener() {} };
  }
  addEventListener() {}
}

class AudioElement {
  async play() {}
  pause() {}
}

const globals = {
  sessionStorage: storage,
  localStorage: storage,
  WebSocket: Wire,
  AudioContext: Context,
  Audio: AudioElement,
  navigator: { mediaDevices: { getUserMedia, enumerateDevices: async () => [] } },
  location: new URL("http://gateway.test/agent"),
  history: { state: null, replaceState() {} },
  document: { hidden: false, title: "", documentElement: { dataset: {} }, addEventListener() {}, querySelector: () => null },
  addEventListener() {},
  removeEventListener() {},
};
Object.assign(globals.document, { removeEventListener() {} });

for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** Lets everything that is under way go on until it waits for a timer or for the test. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 100; n += 1) await Promise.resolve();
}

/** Forgets what a case before has left. */
export function freshBrowser(): void {
  browser.stored.clear();
  browser.microphone = undefined;
  browser.open = 0;
  Wire.made = [];
}
