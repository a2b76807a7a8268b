// Memory of the page. Private windows may refuse it; then nothing is remembered.

/** `tab` is forgotten with the tab, `browser` is kept between visits. */
type Keep = "tab" | "browser";

const storage = (keep: Keep) => (keep === "tab" ? sessionStorage : localStorage);

export function read<T>(key: string, keep: Keep = "browser"): T | undefined {
  try {
    const text = storage(keep).getItem(`cordboard.${key}`);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

export function write(key: string, value: unknown, keep: Keep = "browser"): void {
  try {
    storage(keep).setItem(`cordboard.${key}`, JSON.stringify(value));
  } catch {
    // nothing is kept
  }
}
