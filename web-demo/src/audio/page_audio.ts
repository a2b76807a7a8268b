// Sound of a page: its one AudioContext, and what plays and records through it.
import { Devices } from "./devices";
import { Ringer } from "./ringer";
import { Speaker } from "./speaker";
import { Tones } from "./tones";

/** Time in which a browser that allows sound starts it. */
const START_MS = 400;

export class PageAudio {
  readonly devices = new Devices();
  readonly speaker = new Speaker();
  readonly ringer = new Ringer();
  readonly tones = new Tones(() => this.context());
  private made: AudioContext | undefined;

  /** Browsers start sound only after a click or key press, so it is woken at the first of either. */
  start(): void {
    for (const gesture of ["pointerdown", "keydown"]) {
      addEventListener(gesture, () => this.made && this.context(), { capture: true, passive: true });
    }
  }

  /** The context, made when it is first needed, and woken where it sleeps. */
  context(): AudioContext {
    this.made ??= new AudioContext();
    if (this.made.state === "suspended") this.made.resume().catch(() => undefined);
    return this.made;
  }

  /** True if the browser lets the page play sound without a click. */
  allowed(): Promise<boolean> {
    const running = this.context();
    return new Promise((resolve) => {
      const check = () => running.state === "running" && resolve(true);
      check();
      running.addEventListener("statechange", check);
      // A browser that refuses reports nothing.
      setTimeout(() => resolve(running.state === "running"), START_MS);
    });
  }

  /** A stream with a silent track: a listener's call is an ordinary call in both directions. */
  silence(): MediaStream {
    return this.context().createMediaStreamDestination().stream;
  }
}
