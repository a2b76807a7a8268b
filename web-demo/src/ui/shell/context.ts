import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { CentreState } from "../../centre/state";
import { given } from "../page";
import type { Shell } from "./shell";

export const ShellContext = createContext<Shell | undefined>(undefined);

export function useShell(): Shell {
  return given(useContext(ShellContext), "ShellContext");
}

/** The call centre as the events report it. */
export function useCentre(): CentreState {
  return useShell().centre;
}
