// Ringing for the person. Each page has a bell of its own.
import { effect } from "@preact/signals";

export interface Bell {
  start(): void;
  stop(): void;
}

/** Milliseconds: on, off, on. */
const SHAKE = [400, 200, 400];

/** Rings, and shakes a telephone, as long as `wanted` says so. Returns what ends it. */
export function ringWhile(wanted: () => boolean, bell: Bell): () => void {
  return effect(() => {
    const rings = wanted();
    if (rings) bell.start();
    else bell.stop();
    // Browsers complain about a page that shakes before anybody has touched it.
    if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(rings ? SHAKE : 0);
  });
}
