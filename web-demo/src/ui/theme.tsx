import { effect, signal } from "@preact/signals";
import { read, write } from "../storage";
import { Icon } from "./icons";

type Theme = "auto" | "light" | "dark";
const ORDER: Theme[] = ["auto", "light", "dark"];
const NAMES: Record<Theme, string> = { auto: "system", light: "light", dark: "dark" };

const saved = read<Theme>("theme");
const theme = signal<Theme>(saved && ORDER.includes(saved) ? saved : "auto");

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

export function ThemeButton() {
  const next = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length];
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
