// The page's one AudioContext. Browsers start it only after a click or key press, so it is woken at the first of either.

let context: AudioContext | undefined;

export function audioContext(): AudioContext {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume().catch(() => undefined);
  return context;
}

/** True if the browser lets the page play sound without a click. */
export function audioAllowed(): Promise<boolean> {
  const running = audioContext();
  return new Promise((resolve) => {
    const check = () => running.state === "running" && resolve(true);
    check();
    running.addEventListener("statechange", check);
    // A refusal is told by nothing happening.
    setTimeout(() => resolve(running.state === "running"), 400);
  });
}

for (const gesture of ["pointerdown", "keydown"]) {
  addEventListener(gesture, () => context && audioContext(), { capture: true, passive: true });
}
