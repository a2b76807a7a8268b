import type { CentreCall } from "../../centre/objects";
import { Icon, type IconName } from "../../ui/icons";
import type { Call } from "../../voice/call";
import { useWorkspace } from "../context";
import { W } from "../words";

/** The buttons of a call. */
export function Controls({ centre, sip, talking }: { centre: CentreCall | undefined; sip: Call | undefined; talking: boolean }) {
  const workspace = useWorkspace();
  const { calls, drawer, shell, state } = workspace;
  const busy = shell.notices.busy.value;
  const muted = sip?.muted.value ?? false;
  const held = centre ? centre.state === "held" : (sip?.held.value ?? false);
  const canHold = centre
    ? centre.state === "talking" || centre.state === "held"
    : talking && !sip?.changing.value && !state.heard.value?.centre;
  const canSend = centre ? centre.state === "talking" || centre.state === "held" : false;
  return (
    <div class="controls" role="group" aria-label={W.callWith("")}>
      <Control
        id="mute"
        icon={muted ? "muted" : "microphone"}
        label={muted ? W.unmute : W.mute}
        on={muted}
        off={!sip || sip.listening.value}
        act={calls.toggleMute}
      />
      <Control
        id="hold"
        icon={held ? "play" : "pause"}
        label={held ? W.resume : W.hold}
        on={held}
        off={!canHold || busy.has("hold")}
        act={calls.toggleHold}
      />
      <Control
        id="keys"
        icon="keypad"
        label={W.keypad}
        open={drawer.value === "keypad"}
        controls="keypad"
        off={!sip}
        act={() => workspace.toggleDrawer("keypad")}
      />
      {centre && (
        <Control
          id="transfer"
          icon="transfer"
          label={W.transfer}
          open={drawer.value === "transfer" && !centre.consult}
          controls="transfer-panel"
          off={!canSend}
          act={() => workspace.toggleDrawer("transfer")}
        />
      )}
      <button type="button" id="hangup" class="control end" disabled={busy.has("hangup")} onClick={calls.hangUp}>
        <Icon name="hangup" />
        <span>{talking ? W.hangUp : W.cancelCall}</span>
      </button>
    </div>
  );
}

function Control({
  id,
  icon,
  label,
  on,
  open,
  controls,
  off,
  act,
}: {
  id: string;
  icon: IconName;
  label: string;
  on?: boolean;
  open?: boolean;
  controls?: string;
  off: boolean;
  act(): void;
}) {
  return (
    <button
      type="button"
      id={id}
      class={`control ${on || open ? "on" : ""}`}
      aria-expanded={open}
      aria-controls={open ? controls : undefined}
      disabled={off}
      onClick={act}
    >
      <Icon name={icon} />
      <span>{label}</span>
    </button>
  );
}
