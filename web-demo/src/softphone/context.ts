import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { given } from "../ui/page";
import type { Softphone } from "./softphone";

export const SoftphoneContext = createContext<Softphone | undefined>(undefined);

export function useSoftphone(): Softphone {
  return given(useContext(SoftphoneContext), "SoftphoneContext");
}
