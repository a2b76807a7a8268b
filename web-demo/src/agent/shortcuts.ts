// One key for each thing that an agent does all day. They stay out of text fields and can be switched off.

export type Action =
  | "answer"
  | "reject"
  | "mute"
  | "hold"
  | "transfer"
  | "keypad"
  | "hangup"
  | "notes"
  | "done"
  | "available"
  | "dial"
  | "help";

export interface Shortcut {
  action: Action;
  /** As `KeyboardEvent.key` has it. */
  key: string;
  shift?: boolean;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { action: "answer", key: "a" },
  { action: "reject", key: "r" },
  { action: "mute", key: "m" },
  { action: "hold", key: "h" },
  { action: "transfer", key: "t" },
  { action: "keypad", key: "k" },
  // Not to be pressed by mistake.
  { action: "hangup", key: "e", shift: true },
  { action: "notes", key: "n" },
  { action: "done", key: "d" },
  { action: "available", key: "v" },
  { action: "dial", key: "c" },
  { action: "help", key: "?" },
];

export interface Press {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  repeat: boolean;
}

/** Meaning of a key press: an action, a tone of the keypad, or nothing. */
export function meaningOf(press: Press, typing: boolean, enabled: boolean): { action: Action } | { digit: string } | undefined {
  if (typing || press.ctrlKey || press.altKey || press.metaKey || press.repeat) return undefined;
  // Help stays: it is where they are switched on again.
  if (press.key === "?") return { action: "help" };
  if (!enabled) return undefined;
  // Keyboards differ in whether * and # need Shift.
  if (/^[0-9*#]$/.test(press.key)) return { digit: press.key };
  const key = press.key.toLowerCase();
  const found = SHORTCUTS.find((shortcut) => shortcut.key === key && (shortcut.shift ?? false) === press.shiftKey);
  return found && { action: found.action };
}

/** True if keys pressed in this element write text there or choose in it. */
export function isTyping(element: { tagName?: string; type?: string; isContentEditable?: boolean } | null): boolean {
  if (!element) return false;
  if (element.isContentEditable) return true;
  if (element.tagName === "INPUT") return !/^(checkbox|radio|button|submit|range)$/.test(element.type ?? "");
  return element.tagName === "TEXTAREA" || element.tagName === "SELECT";
}

/** As a person reads it: "Shift + E". */
export function keyName({ key, shift }: Shortcut): string {
  return `${shift ? "Shift + " : ""}${key.toUpperCase()}`;
}
