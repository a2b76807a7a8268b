// Plays what the other side says.
import { signal } from "@preact/signals";
import { canChooseSpeaker } from "./devices";

export class Speaker {
  /** The browser wants a click before it lets the page make sound. */
  readonly blocked = signal(false);
  private readonly playing = new Map<MediaStream, HTMLAudioElement>();
  private sink = "";

  play(stream: MediaStream): void {
    if (this.playing.has(stream)) return;
    const element = document.createElement("audio");
    element.autoplay = true;
    element.setAttribute("playsinline", "");
    element.srcObject = stream;
    this.playing.set(stream, element);
    document.body.append(element);
    this.chooseSink(element);
    this.start(element);
  }

  stop(stream: MediaStream | undefined): void {
    const element = stream && this.playing.get(stream);
    if (!element) return;
    this.playing.delete(stream);
    element.srcObject = null;
    element.remove();
    if (this.playing.size === 0) this.blocked.value = false;
  }

  /** From within a click: starts what the browser had held back. */
  unblock(): void {
    this.blocked.value = false;
    for (const element of this.playing.values()) this.start(element);
  }

  /** Plays on this device from now on; empty: the browser's choice. */
  use(id: string): void {
    this.sink = id;
    for (const element of this.playing.values()) this.chooseSink(element);
  }

  private start(element: HTMLAudioElement): void {
    element.play().catch((error: Error) => {
      if (error.name === "NotAllowedError") this.blocked.value = true;
    });
  }

  private chooseSink(element: HTMLAudioElement): void {
    if (!canChooseSpeaker) return;
    // A speaker that was unplugged: the default one plays on.
    element.setSinkId(this.sink).catch(() => undefined);
  }
}
