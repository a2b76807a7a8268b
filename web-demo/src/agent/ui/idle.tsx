import { useRef, useState } from "preact/hooks";
import { Icon } from "../../ui/icons";
import { useWorkspace } from "../context";
import { W } from "../words";

/** Nothing to do but to wait, or to call somebody. */
export function Idle() {
  const { state, shell, choices, demo, calls, availability } = useWorkspace();
  const agent = state.me.value;
  if (!agent) return <section class="card placeholder tall" aria-busy="true" />;
  const { status } = agent;
  const [title, text] =
    status === "available" || status === "ringing"
      ? [W.idleAvailable, W.idleAvailableText]
      : status === "paused"
        ? [agent.reason ? W.idlePaused(choices.reasonLabel(agent.reason)) : W.idlePausedPlain, W.idlePausedText]
        : status === "offline"
          ? [W.idleOffline, W.idleOfflineText]
          : status === "unreachable"
            ? [W.idleUnreachable, W.idleUnreachableText]
            : status === "direct"
              ? [W.idleDirect, W.idleDirectText]
              : [W.idleConnecting, W.idleConnectingText];
  return (
    <section class="card idle" aria-labelledby="idle-title">
      <Board live={status === "available" || status === "ringing"} />
      <h2 id="idle-title">{title}</h2>
      <p class="quiet">{text}</p>
      {status === "paused" && (
        <button type="button" class="small primary" onClick={() => void availability.setIntent("available")}>
          {W.backToAvailable}
        </button>
      )}
      {demo.value && status === "available" && (
        <button
          type="button"
          class="small"
          id="demo-call"
          disabled={shell.notices.busy.value.has("demo")}
          onClick={() => void calls.demoCall()}
        >
          <Icon name="in" size={18} /> {W.demoCall}
        </button>
      )}
      <Dial />
    </section>
  );
}

function Dial() {
  const { calls } = useWorkspace();
  const [number, setNumber] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const typed = field.current?.value ?? "";
    if (!typed.trim()) return field.current?.focus();
    if (await calls.dial(typed)) setNumber("");
  };
  return (
    <form class="dial" aria-label={W.dial} onSubmit={(event) => void submit(event)}>
      <label for="dial">{W.dialLabel}</label>
      <div class="dial-line">
        <input
          id="dial"
          ref={field}
          type="text"
          inputMode="tel"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          enterkeyhint="go"
          maxLength={64}
          value={number}
          onInput={(event) => setNumber(event.currentTarget.value)}
        />
        <button type="submit" class="small primary" id="dial-button">
          <Icon name="call" size={18} /> {W.dialButton}
        </button>
      </div>
    </form>
  );
}

/** A row of jacks; the cord hangs, or is plugged and waits. */
function Board({ live }: { live: boolean }) {
  return (
    <svg class={`board ${live ? "live" : ""}`} viewBox="0 0 220 84" width="220" height="84" aria-hidden="true" focusable="false">
      {[0, 1, 2, 3, 4].map((n) => (
        <g key={n}>
          <circle cx={30 + 40 * n} cy="22" r="11" class="jack" />
          <circle cx={30 + 40 * n} cy="22" r="3.5" class="hole" />
        </g>
      ))}
      <path d={live ? "M70 22v16c0 44 80 44 80 0V22" : "M70 22v30c0 28 46 26 60 18"} class="cord" />
    </svg>
  );
}
