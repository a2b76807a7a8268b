import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { given } from "../ui/page";
import type { Wallboard } from "./wallboard";

export const WallboardContext = createContext<Wallboard | undefined>(undefined);

export function useWallboard(): Wallboard {
  return given(useContext(WallboardContext), "WallboardContext");
}
