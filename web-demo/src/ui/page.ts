// Parts that every page of the gateway creates once, whatever it is for.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { PageAudio } from "../audio/page_audio";
import { ignoreRepeats } from "./repeats";
import { Theme } from "./theme";

export interface Page {
  audio: PageAudio;
  theme: Theme;
}

export function createPage(): Page {
  return { audio: new PageAudio(), theme: new Theme() };
}

/** From now on, in the browser's window. */
export function startPage({ audio, theme }: Page): void {
  audio.start();
  theme.start();
  ignoreRepeats();
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  return given(useContext(PageContext), "PageContext");
}

/** A value that a context must have: a component that reads it stands below its provider. */
export function given<T>(value: T | undefined, context: string): T {
  if (value === undefined) throw new Error(`no provider of ${context} above this component`);
  return value;
}
