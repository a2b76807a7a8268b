import { useLayoutEffect, useRef } from "preact/hooks";
import { playbackBlocked, unblock } from "../audio/speaker";
import { active, notice, press, registration, retryNow, ringing, selected, standing, trouble } from "../softphone";
import { CallCard, stateOf } from "./callcard";
import { Dialer } from "./dialer";
import { Icon, Logo } from "./icons";
import { Ringing } from "./incoming";
import { AccountPanel, Pages, QuickDial, Recents, Sound } from "./panels";
import { ThemeButton } from "./theme";
import { Trouble } from "./trouble";

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
  useLayoutEffect(() => {
    // The call that was just made or answered is at the top.
    if (call) scrollTo(0, 0);
  }, [call]);
  return (
    <>
      <Header />
      <Ringing />
      <main>
        <div class="phone">
          <Notices />
          {call ? <CallCard key={call.id} call={call} /> : <Dialer />}
        </div>
        <div class="side">
          <QuickDial />
          <Recents />
          <Sound />
          <AccountPanel />
          <Pages />
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
  const news = useRef<HTMLDivElement>(null);
  const told = notice.value;
  // Whoever called from the lower end of the page reads at once why it did not work.
  useLayoutEffect(() => {
    if (told) news.current?.scrollIntoView({ block: "nearest" });
  }, [told]);
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
          <p>The browser blocks sound until you click.</p>
          <button type="button" class="small primary" id="unblock" onClick={unblock}>
            Play sound
          </button>
        </div>
      )}
      {trouble.value && ringing.value.length === 0 && <Trouble trouble={trouble.value} />}
      {notice.value && (
        <div
          ref={news}
          class={`notice ${notice.value.kind}`}
          role={notice.value.kind === "error" ? "alert" : "status"}
          id="notice"
        >
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
