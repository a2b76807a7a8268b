import { Frame } from "../../ui/shell/frame";
import { whoRings } from "../agent_state";
import { useWorkspace, WorkspaceContext } from "../context";
import { W } from "../words";
import type { AgentWorkspace } from "../workspace";
import { Banners } from "./banners";
import { CallView, stateOf } from "./call";
import { CallHandlingPanel } from "./call_handling";
import { Header } from "./header";
import { Idle } from "./idle";
import { OfferDialog } from "./offer";
import { Recents } from "./recents";
import { useShortcuts } from "./shortcuts";
import { SoundPanel } from "./sound";
import { StatePanel } from "./state";
import { Team } from "./team";
import { WrapUp } from "./wrapup";

export function App({ workspace }: { workspace: AgentWorkspace }) {
  return (
    <WorkspaceContext.Provider value={workspace}>
      <Frame shell={workspace.shell} words={W}>
        <Workspace />
      </Frame>
    </WorkspaceContext.Provider>
  );
}

function Workspace() {
  useShortcuts();
  const { inCall, wrappingUp, rings } = useWorkspace().state;
  return (
    <>
      <a class="skip" href="#stage">
        {W.skip}
      </a>
      <Header />
      <Banners />
      <main class="workspace">
        <div class="col col-state">
          <StatePanel />
        </div>
        <div class="col col-stage" id="stage" tabIndex={-1}>
          {inCall.value ? <CallView /> : wrappingUp.value ? <WrapUp /> : <Idle />}
        </div>
        <div class="col col-side">
          <Recents />
          <Team />
          <CallHandlingPanel />
          <SoundPanel />
        </div>
      </main>
      {rings.value && <OfferDialog />}
      <Announcer />
    </>
  );
}

/** Announcements for a screen reader. */
function Announcer() {
  const { state } = useWorkspace();
  const ringing = state.rings.value;
  const queue = ringing?.offer?.call.queue?.name ?? ringing?.invite?.queue ?? "";
  const text = state.inCall.value ? stateOf(state) : state.wrappingUp.value ? W.wrapTitle : "";
  return (
    <>
      <p class="unseen" role="alert">
        {ringing ? W.offerSpoken(whoRings(ringing), queue, state.aboutWhom(ringing)) : ""}
      </p>
      <p class="unseen" aria-live="polite">
        {text}
      </p>
    </>
  );
}
