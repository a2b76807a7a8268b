import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { given } from "../ui/page";
import type { AgentWorkspace } from "./workspace";

export const WorkspaceContext = createContext<AgentWorkspace | undefined>(undefined);

export function useWorkspace(): AgentWorkspace {
  return given(useContext(WorkspaceContext), "WorkspaceContext");
}
