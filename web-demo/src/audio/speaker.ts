// Plays what the other side says.
import { signal } from "@preact/signals";
import { canChooseSpeaker } from "./devices";

/** The browser wants a click before it lets the page make sound. */
export const playbackBlocked = signal(false);

const playing = new Map<MediaStream, HTMLAudioElement>();
let sink = "";

export function play(stream: MediaStream): void {
  if (playing.has(stream)) return;
  const element = document.createElement("audio");
  element.autoplay = true;
  element.setAttribute("playsinline", "");
  element.srcObject = stream;
  playing.set(stream, element);
  document.body.append(element);
  chooseSink(element);
  start(element);
}

export function stop(stream: MediaStream | undefined): void {
  const element = stream && playing.get(stream);
  if (!element) return;
  playing.delete(stream);
  element.srcObject = null;
  element.remove();
  if (playing.size === 0) playbackBlocked.value = false;
}

/** From within a click: starts what the browser had held back. */
export function unblock(): void {
  playbackBlocked.value = false;
  for (const element of playing.values()) start(element);
}

export function setSpeaker(id: string): void {
  sink = id;
  for (const element of playing.values()) chooseSink(element);
}

function start(element: HTMLAudioElement): void {
  element.play().catch((error: Error) => {
    if (error.name === "NotAllowedError") playbackBlocked.value = true;
  });
}

function chooseSink(element: HTMLAudioElement): void {
  if (!canChooseSpeaker) return;
  // A speaker that was unplugged: the default one plays on.
  element.setSinkId(sink).catch(() => undefined);
}
