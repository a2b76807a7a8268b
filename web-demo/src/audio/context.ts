// The page's one AudioContext. Browsers start it only after a click or key press, so it is woken at the first of either.

let context: AudioContext | undefined;

export function audioContext(): AudioContext {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume().catch(() => undefined);
  return context;
}

for (const gesture of ["pointerdown", "keydown"]) {
  addEventListener(gesture, () => context && audioContext(), { capture: true, passive: true });
}
