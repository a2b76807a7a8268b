import { useState } from "preact/hooks";
import type { Intent } from "../../centre/objects";
import { Dialog } from "../../centre/ui/dialog";
import { StatusPill } from "../../centre/ui/status";
import { Since } from "../../centre/ui/ticking";
import { COMMON, callerName, STATUS } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { Bar } from "../../ui/shell/bar";
import { useWorkspace } from "../context";
import { W } from "../words";
import { Help } from "./help";

export function Header() {
  const workspace = useWorkspace();
  const { state, line, choices, helpOpen } = workspace;
  const [leaving, setLeaving] = useState(false);
  const [asking, setAsking] = useState(false);
  const agent = state.me.value;
  const inCall = state.inCall.value;
  const leave = async () => {
    setAsking(false);
    setLeaving(true);
    // The state stays if the gateway could not be reached.
    if (!(await workspace.signOut())) setLeaving(false);
  };
  return (
    <Bar
      title={W.title}
      phone={line.registration.value?.state}
      tools={<HelpButton />}
      signingOut={leaving}
      signOut={() => (inCall ? setAsking(true) : void leave())}
    >
      {agent && (
        <p class="bar-status">
          <StatusPill status={agent.status} note={agent.status === "paused" ? choices.reasonLabel(agent.reason) : undefined} />
          {agent.status !== "offline" && <Since at={agent.since} />}
        </p>
      )}
      {helpOpen.value && <Help />}
      {asking && inCall && <SignOutDialog go={() => void leave()} close={() => setAsking(false)} />}
    </Bar>
  );
}

function HelpButton() {
  const { helpOpen } = useWorkspace();
  return (
    <button
      type="button"
      class="plain round"
      id="help-button"
      aria-label={W.help}
      title={W.help}
      onClick={() => {
        helpOpen.value = true;
      }}
    >
      <Icon name="help" />
    </button>
  );
}

/** Asks before a call is left. */
function SignOutDialog({ go, close }: { go(): void; close(): void }) {
  const { state } = useWorkspace();
  const centre = state.call.value;
  const heard = state.heard.value?.call;
  const who = centre ? callerName(centre.from) : ((heard?.name || heard?.peer) ?? "");
  const others = centre?.parties.some(({ kind }) => kind === "other");
  return (
    <Dialog id="sign-out-ask" label="sign-out-title" role="alertdialog" close={close} focus="#sign-out-stay">
      <h2 id="sign-out-title">{W.signOutTitle}</h2>
      <p>{!centre ? W.signOutDirect(who) : others ? W.signOutOthers : W.signOutQueue(who)}</p>
      <div class="dialog-actions">
        <button type="button" class="small primary" id="sign-out-stay" onClick={close}>
          {W.signOutStay}
        </button>
        <button type="button" class="small" id="sign-out-go" onClick={go}>
          {COMMON.signOut}
        </button>
      </div>
    </Dialog>
  );
}

/** Intent of an agent, in words. */
export function intentWords({ intent, reason }: Intent, reasonLabel: (code: string | null | undefined) => string): string {
  return (intent === "paused" && reasonLabel(reason)) || STATUS[intent];
}
