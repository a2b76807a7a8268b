// The name of this tab. It outlives a reload; a tab that the browser duplicated gets a name and a sign-in of its own.
import { read, write } from "../storage";

/** Time that the page before a reload may take to go. */
const GOING_MS = 1000;

export interface Tab {
  name: string;
  /** A copy of another tab: what was copied with it (tokens above all) belongs to that one. */
  copied: boolean;
}

export async function nameTab(): Promise<Tab> {
  const known = read<string>("tab", "tab");
  if (known && (await holds(known))) return { name: known, copied: false };
  const name = randomName();
  write("tab", name, "tab");
  await holds(name);
  return { name, copied: known !== undefined };
}

/** Takes the tab's lock for as long as the page is there; false where another page has it. */
function holds(name: string): Promise<boolean> {
  // Only secure contexts have locks: elsewhere a copied tab is not noticed.
  const locks = navigator.locks as LockManager | undefined;
  if (!locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    locks
      .request(`cordboard.tab.${name}`, { signal: AbortSignal.timeout(GOING_MS) }, () => {
        resolve(true);
        return new Promise(() => undefined);
      })
      .catch(() => resolve(false));
  });
}

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => (byte % 36).toString(36)).join("");
}
