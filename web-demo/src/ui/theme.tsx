import { effect, signal } from "@preact/signals";
import { read, write } from "../storage";
import { Icon } from "./icons";

type Theme = "auto" | "light" | "dark";
/** The theme that a click chooses after each. */
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const NAMES: Record<Theme, string> = { auto: "system", light: "light", dark: "dark" };

const saved = read<Theme>("theme");
const theme = signal<Theme>(saved && Object.hasOwn(NEXT, saved) ? saved : "auto");

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

export function ThemeButton() {
  const next = NEXT[theme.value];
  return (
    <button
      type="button"
      class="plain round"
      aria-label={`Theme: ${NAMES[theme.value]}. Switch to ${NAMES[next]}.`}
      title={`Theme: ${NAMES[theme.value]}`}
      onClick={() => {
        theme.value = next;
        write("theme", next);
      }}
    >
      <Icon name={theme.value} />
    </button>
  );
}
