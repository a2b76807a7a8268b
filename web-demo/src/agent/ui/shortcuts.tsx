import { useLayoutEffect } from "preact/hooks";
import { answer, call, finishWrapUp, hangUp, press, reject, rings, setIntent, toggleHold, toggleMute, wrappingUp } from "../desk";
import { type Action, isTyping, meaningOf } from "../shortcuts";
import { voice } from "../voice";
import { toggleDrawer } from "./call";
import { helpOpen, shortcutsOn } from "./help";

/** Listens to the keyboard as long as the desktop is there. */
export function useShortcuts(): void {
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const meaning = meaningOf(event, isTyping(event.target as HTMLElement), shortcutsOn.value);
      if (!meaning) return;
      if ("digit" in meaning) {
        if (voice.value && !rings.value) press(meaning.digit);
      } else if (perform(meaning.action)) {
        event.preventDefault();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** False where it makes no sense now. */
function perform(action: Action): boolean {
  const inCall = voice.value !== undefined || call.value !== undefined;
  const focus = (id: string) => {
    const element = document.getElementById(id);
    element?.focus();
    return element !== null;
  };
  const when = (fits: boolean, act: () => unknown) => {
    if (fits) act();
    return fits;
  };
  switch (action) {
    case "answer":
      return when(rings.value !== undefined, answer);
    case "reject":
      return when(rings.value !== undefined, reject);
    case "mute":
      return when(inCall, toggleMute);
    case "hold":
      return when(inCall && enabled("hold"), toggleHold);
    case "transfer":
      return when(call.value !== undefined && enabled("transfer"), () => toggleDrawer("transfer"));
    case "keypad":
      return when(inCall && enabled("keys"), () => toggleDrawer("keypad"));
    case "hangup":
      return when(inCall, hangUp);
    case "notes":
      return focus("notes");
    case "done":
      return when(wrappingUp.value, finishWrapUp);
    case "available":
      return when(!rings.value, () => setIntent("available"));
    case "dial":
      return focus("dial");
    case "help":
      return when(true, () => {
        helpOpen.value = !helpOpen.value;
      });
  }
}

/** A key does what its button does, and nothing while that waits. */
function enabled(id: string): boolean {
  return document.querySelector(`#${id}:not(:disabled)`) !== null;
}
