import { useLayoutEffect } from "preact/hooks";
import { playbackBlocked, unblock } from "../audio/speaker";
import { active, notice, press, registration, retryNow, ringing, selected, standing, trouble } from "../softphone";
import { CallCard, stateOf } from "./callcard";
import { Dialer } from "./dialer";
import { Icon, Logo } from "./icons";
import { Incoming } from "./incoming";
import { AccountPanel, QuickDial, Recents, Sound } from "./panels";
import { ThemeButton } from "./theme";

export function App() {
  useLayoutEffect(() => {
    // In a call the digits of the keyboard are keys of the telephone.
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (/^[0-9*#]$/.test(event.key)) press(event.key);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const call = selected.value ?? active.value[0];
  return (
    <>
      <Header />
      <main>
        <div class="phone">
          <Notices />
          {ringing.value.map((incoming) => (
            <Incoming key={incoming.id} call={incoming} />
          ))}
          {call ? <CallCard key={call.id} call={call} /> : <Dialer />}
        </div>
        <div class="side">
          <QuickDial />
          <Recents />
          <Sound />
          <AccountPanel />
        </div>
      </main>
      <p class="unseen" aria-live="polite">
        {call && `${call.name || call.peer}: ${stateOf(call)}`}
      </p>
    </>
  );
}

function Header() {
  const { label, tone } = standing.value;
  return (
    <header>
      <div class="brand">
        <Logo />
        <h1>Cordboard</h1>
      </div>
      <p class={`standing ${tone}`} role="status" id="standing" data-state={registration.value.state}>
        <span class="dot" aria-hidden="true" />
        {label}
      </p>
      <ThemeButton />
    </header>
  );
}

/** Everything that the person should read now. */
function Notices() {
  const { sentence } = standing.value;
  return (
    <div class="notices">
      {sentence && (
        <div class="notice error" role="alert" id="standing-notice">
          <p>{sentence}</p>
          <button type="button" class="small" onClick={retryNow}>
            Try now
          </button>
        </div>
      )}
      {playbackBlocked.value && (
        <div class="notice" role="alert">
          <p>The browser holds the sound back until you click.</p>
          <button type="button" class="small primary" id="unblock" onClick={unblock}>
            Play sound
          </button>
        </div>
      )}
      {trouble.value && (
        <div class="notice error" role="alert" id="trouble">
          <p>{trouble.value.sentence}</p>
          <button type="button" class="small primary" onClick={trouble.value.retry}>
            Try again
          </button>
          <button type="button" class="small" id="listen-only" onClick={trouble.value.listenOnly}>
            <Icon name="listen" size={16} /> Only listen
          </button>
          <button type="button" class="small" onClick={trouble.value.giveUp}>
            Cancel
          </button>
        </div>
      )}
      {notice.value && (
        <div class={`notice ${notice.value.kind}`} role={notice.value.kind === "error" ? "alert" : "status"} id="notice">
          <p>{notice.value.text}</p>
          <button
            type="button"
            class="plain round"
            aria-label="Dismiss"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            <Icon name="close" size={18} />
          </button>
        </div>
      )}
    </div>
  );
}
