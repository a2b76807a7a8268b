import { useLayoutEffect } from "preact/hooks";
import { useWorkspace } from "../context";
import { type Action, isTyping, meaningOf } from "../shortcuts";
import type { AgentWorkspace } from "../workspace";

/** Listens to the keyboard as long as the workspace is there. */
export function useShortcuts(): void {
  const workspace = useWorkspace();
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const meaning = meaningOf(event, isTyping(event.target as HTMLElement), workspace.shortcutsOn.peek());
      if (!meaning) return;
      if ("digit" in meaning) {
        if (workspace.state.heard.peek() && !workspace.state.rings.peek()) workspace.calls.press(meaning.digit);
      } else if (perform(meaning.action, workspace)) {
        event.preventDefault();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [workspace]);
}

/** False where it makes no sense now. */
function perform(action: Action, workspace: AgentWorkspace): boolean {
  const { state, calls, availability } = workspace;
  const inCall = state.inCall.peek();
  const rings = state.rings.peek() !== undefined;
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
      return when(rings, calls.answer);
    case "reject":
      return when(rings, calls.reject);
    case "mute":
      return when(inCall, calls.toggleMute);
    case "hold":
      return when(inCall && enabled("hold"), calls.toggleHold);
    case "transfer":
      return when(state.call.peek() !== undefined && enabled("transfer"), () => workspace.toggleDrawer("transfer"));
    case "keypad":
      return when(inCall && enabled("keys"), () => workspace.toggleDrawer("keypad"));
    case "hangup":
      return when(inCall, calls.hangUp);
    case "notes":
      return focus("notes");
    case "done":
      return when(state.wrappingUp.peek(), () => availability.finishWrapUp());
    case "available":
      return when(!rings, () => availability.setIntent("available"));
    case "dial":
      return focus("dial");
    case "help":
      return when(true, () => {
        workspace.helpOpen.value = !workspace.helpOpen.peek();
      });
  }
}

/** A key does what its button does, and nothing while that waits. */
function enabled(id: string): boolean {
  return document.querySelector(`#${id}:not(:disabled)`) !== null;
}
