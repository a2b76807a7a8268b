import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon, Logo } from "../../ui/icons";
import { PageContext } from "../../ui/page";
import { ThemeButton } from "../../ui/theme";
import { SoftphoneContext, useSoftphone } from "../context";
import type { Softphone } from "../softphone";
import { CallCard, stateOf } from "./callcard";
import { Dialer } from "./dialer";
import { Ringing } from "./incoming";
import { MicrophoneTrouble } from "./microphone_trouble";
import { AccountPanel, Pages, QuickDial, Recents, Sound } from "./panels";

export function App({ softphone }: { softphone: Softphone }) {
  return (
    <PageContext.Provider value={softphone.page}>
      <SoftphoneContext.Provider value={softphone}>
        <Phone />
      </SoftphoneContext.Provider>
    </PageContext.Provider>
  );
}

function Phone() {
  const { voice, selected, press } = useSoftphone();
  useLayoutEffect(() => {
    // In a call the digits of the keyboard are keys of the telephone.
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (/^[0-9*#]$/.test(event.key)) press(event.key);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [press]);
  const call = selected.value ?? voice.active.value[0];
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
  const { line } = useSoftphone();
  const { label, tone } = line.standing.value;
  return (
    <header>
      <div class="brand">
        <Logo />
        <h1>Cordboard</h1>
      </div>
      <p class={`standing ${tone}`} role="status" id="standing" data-state={line.registration.value.state}>
        <span class="dot" aria-hidden="true" />
        {label}
      </p>
      <ThemeButton />
    </header>
  );
}

/** Everything that the person should read now. */
function Notices() {
  const { line, notices, page, voice } = useSoftphone();
  const { speaker } = page.audio;
  const { sentence } = line.standing.value;
  const news = useRef<HTMLDivElement>(null);
  const notice = notices.notice.value;
  // Whoever called from the lower end of the page reads at once why it did not work.
  useLayoutEffect(() => {
    if (notice) news.current?.scrollIntoView({ block: "nearest" });
  }, [notice]);
  return (
    <div class="notices">
      {sentence && (
        <div class="notice error" role="alert" id="standing-notice">
          <p>{sentence}</p>
          <button type="button" class="small" onClick={() => line.retry()}>
            Try now
          </button>
        </div>
      )}
      {speaker.blocked.value && (
        <div class="notice" role="alert">
          <p>The browser blocks sound until you click.</p>
          <button type="button" class="small primary" id="unblock" onClick={() => speaker.unblock()}>
            Play sound
          </button>
        </div>
      )}
      {voice.ringing.value.length === 0 && <MicrophoneTrouble />}
      {notice && (
        <div ref={news} class={`notice ${notice.kind}`} role={notice.kind === "error" ? "alert" : "status"} id="notice">
          <p>{notice.text}</p>
          <button type="button" class="plain round" aria-label="Dismiss" onClick={notices.dismiss}>
            <Icon name="close" size={18} />
          </button>
        </div>
      )}
    </div>
  );
}
