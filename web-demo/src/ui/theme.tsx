import { effect, signal } from "@preact/signals";
import { read, write } from "../storage";
import { Icon } from "./icons";
import { usePage } from "./page";

type ThemeName = "auto" | "light" | "dark";
/** The theme that a click chooses after each. */
const NEXT: Record<ThemeName, ThemeName> = { auto: "light", light: "dark", dark: "auto" };
const NAMES: Record<ThemeName, string> = { auto: "system", light: "light", dark: "dark" };

/** Light, dark, or as the system has it. All pages of a browser share the choice. */
export class Theme {
  readonly name = signal<ThemeName>("auto");

  constructor() {
    const saved = read<ThemeName>("theme");
    if (saved && Object.hasOwn(NEXT, saved)) this.name.value = saved;
  }

  start(): void {
    effect(() => {
      const { dataset } = document.documentElement;
      if (this.name.value === "auto") delete dataset.theme;
      else dataset.theme = this.name.value;
    });
  }

  next(): void {
    this.name.value = NEXT[this.name.peek()];
    write("theme", this.name.peek());
  }
}

export function ThemeButton() {
  const { theme } = usePage();
  const name = theme.name.value;
  return (
    <button
      type="button"
      class="plain round"
      aria-label={`Theme: ${NAMES[name]}. Switch to ${NAMES[NEXT[name]]}.`}
      title={`Theme: ${NAMES[name]}`}
      onClick={() => theme.next()}
    >
      <Icon name={name} />
    </button>
  );
}
