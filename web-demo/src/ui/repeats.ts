// A key that is held down presses a button once. What is under the focus may be another button by the time the key repeats.

/** Keys that press what has the focus. */
const PRESSES: readonly string[] = ["Enter", " "];

/** Elements in which keys may be held down: to write, choose or drag. */
const HELD = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]";

/** True if a key press repeats a key that is held down on something that it would press again. */
export function isRepeatedPress({ key, repeat }: { key: string; repeat: boolean }, isHeld: boolean): boolean {
  return repeat && PRESSES.includes(key) && !isHeld;
}

/** On something that has the focus to have none of its buttons focused: Space would scroll the page. */
export function keepStill(event: KeyboardEvent): void {
  if (event.key === " " && event.target === event.currentTarget) event.preventDefault();
}

/** From now on, on the whole page. */
export function ignoreRepeats(): void {
  addEventListener(
    "keydown",
    (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (isRepeatedPress(event, target?.matches(HELD) ?? false)) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    { capture: true },
  );
}
