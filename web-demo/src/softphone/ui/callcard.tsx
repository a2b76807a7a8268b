import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { clock } from "../../recents";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { Levels } from "../../ui/levels";
import { Pad } from "../../ui/pad";
import { QualityView } from "../../ui/quality";
import { keepStill } from "../../ui/repeats";
import type { Call, CallState } from "../../voice/call";
import { ROUTELESS } from "../../words";
import { useSoftphone } from "../context";
import { Transfer } from "./transfer";

const WORDS: Record<CallState, string> = {
  calling: "Calling",
  ringing: "Ringing",
  early: "Ringing",
  incoming: "Calling you",
  answering: "Answering",
  talking: "Connected",
  over: "Ended",
};

/** Panel below the buttons of a call. */
type Drawer = "keys" | "transfer";

/** State of a call, in a word or two. */
export function stateOf(call: Call): string {
  if (call.state.value !== "talking") return WORDS[call.state.value];
  if (call.transferring.value) return `Transferring to ${call.transferring.value}`;
  if (call.farAway.value) return "The other side lost the connection";
  if (call.held.value) return "On hold";
  return call.farHeld.value ? "The other side put you on hold" : "Connected";
}

export function CallCard({ call }: { call: Call }) {
  const softphone = useSoftphone();
  const [drawer, setDrawer] = useState<Drawer | undefined>();
  const toggle = (name: Drawer) => setDrawer(drawer === name ? undefined : name);
  const card = useRef<HTMLElement>(null);
  // The call as a whole: the next Enter or Space must not do anything to it.
  useLayoutEffect(() => card.current?.focus({ preventScroll: true }), [call]);
  const talking = call.state.value === "talking";
  return (
    <section
      class={`callcard ${drawer ? "with-drawer" : ""}`}
      id="callcard"
      ref={card}
      tabIndex={-1}
      onKeyDown={keepStill}
      aria-label={`Call with ${call.name || call.peer}`}
      data-state={call.state.value}
    >
      <div class={`face ${talking && !call.held.value ? "live" : ""}`} aria-hidden="true">
        {initials(call.name || call.peer) ?? <Icon name="phone" size={34} />}
      </div>
      <h2 class="peer">{call.name || call.peer}</h2>
      {call.name && <p class="peer-address">{call.peer}</p>}
      <p class="call-state" id="call-state">
        {stateOf(call)}
      </p>
      <Timer call={call} />
      <Hints call={call} />
      <Levels call={call} silent={call.muted.value || call.held.value} />
      <Controls call={call} drawer={drawer} toggle={toggle} />

      {drawer === "transfer" && <Transfer call={call} done={() => setDrawer(undefined)} />}
      <div id="call-keys" hidden={drawer !== "keys"}>
        <output class="digits" id="digits" aria-label="Keys pressed">
          {call.digits.value || "\u00a0"}
        </output>
        <Pad label="Keypad tones" press={softphone.press} />
      </div>

      <button type="button" id="hangup" class="stop" onClick={() => call.hangUp()}>
        <Icon name="hangup" size={26} />
        <span>{talking ? "Hang up" : "Cancel"}</span>
      </button>

      {talking && <QualityView call={call} />}

      <OtherCalls call={call} />
    </section>
  );
}

function Hints({ call }: { call: Call }) {
  return (
    <>
      {call.silent.value && !call.routeless.value && (
        <p class="hint warn" role="alert">
          No sound arrives from the other side.
        </p>
      )}
      {call.farAway.value && (
        <p class="hint warn" role="alert" id="far-away">
          You hear music until the other side is back. If it does not come back, the call ends by itself.
        </p>
      )}
      {call.routeless.value && (
        <p class="hint warn" role="alert" id="routeless">
          {ROUTELESS}
        </p>
      )}
      {call.listening.value && <p class="hint">Listening only: this call has no microphone.</p>}
      {call.farDigits.value && (
        <p class="hint" role="status" id="far-digits">
          The other side pressed <b>{call.farDigits.value}</b>
        </p>
      )}
    </>
  );
}

function Controls({ call, drawer, toggle }: { call: Call; drawer: Drawer | undefined; toggle(name: Drawer): void }) {
  const softphone = useSoftphone();
  const talking = call.state.value === "talking";
  return (
    <div class="controls" role="group" aria-label="Call controls">
      <button
        type="button"
        id="mute"
        class={`control ${call.muted.value ? "on" : ""}`}
        onClick={() => call.toggleMute()}
        disabled={call.listening.value}
      >
        <Icon name={call.muted.value ? "muted" : "microphone"} />
        <span>{call.muted.value ? "Unmute" : "Mute"}</span>
      </button>
      <button
        type="button"
        id="hold"
        class={`control ${call.held.value ? "on" : ""}`}
        disabled={!talking || call.changing.value}
        onClick={() => softphone.toggleHold(call)}
      >
        <Icon name={call.held.value ? "play" : "pause"} />
        <span>{call.held.value ? "Resume" : "Hold"}</span>
      </button>
      <button
        type="button"
        id="keys"
        class="control"
        aria-expanded={drawer === "keys"}
        aria-controls="call-keys"
        onClick={() => toggle("keys")}
      >
        <Icon name="keypad" />
        <span>Keypad</span>
      </button>
      <button
        type="button"
        id="transfer"
        class="control"
        aria-expanded={drawer === "transfer"}
        aria-controls={drawer === "transfer" ? "call-transfer" : undefined}
        disabled={!talking || call.transferring.value !== undefined}
        onClick={() => toggle("transfer")}
      >
        <Icon name="transfer" />
        <span>Transfer</span>
      </button>
    </div>
  );
}

/** Calls that are on hold meanwhile. */
function OtherCalls({ call }: { call: Call }) {
  const softphone = useSoftphone();
  const others = softphone.voice.active.value.filter((other) => other !== call);
  if (others.length === 0) return null;
  return (
    <ul class="others" aria-label="Other calls">
      {others.map((other) => (
        <li key={other.id}>
          <button
            type="button"
            class="plain"
            onClick={() => softphone.select(other)}
            disabled={softphone.selected.value === other}
          >
            <b>{other.name || other.peer}</b> <span>{stateOf(other)}</span>
            <span class="switch">Switch</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Timer({ call }: { call: Call }) {
  useNow(500);
  return (
    <p class="timer" role="timer" id="timer" aria-label="Duration">
      {call.answeredAt.value === undefined ? "\u00a0" : clock(call.seconds)}
    </p>
  );
}

/** Initials of a name; a number has none. */
function initials(name: string): string | undefined {
  if (!/^\p{L}/u.test(name)) return undefined;
  const [first = "", second = ""] = name.split(/[\s.@]+/).filter(Boolean);
  return ((first.at(0) ?? "") + (second.at(0) ?? "")).toUpperCase();
}
