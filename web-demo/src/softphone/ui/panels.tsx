// Panels beside the phone: numbers to try, recent calls, sound, account.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { type Library, type Settings, trimmed } from "../../account";
import { clock, type Recent, when } from "../../recents";
import { useNow } from "../../ui/hooks";
import { Icon, type IconName } from "../../ui/icons";
import { MicrophoneChoice, ProcessingChoice, SpeakerChoice } from "../../ui/sound_choice";
import { useSoftphone } from "../context";

const QUICK: { number: string; name: string; about: string; icon: IconName }[] = [
  { number: "9196", name: "Echo", about: "hear yourself", icon: "echo" },
  { number: "9664", name: "Music", about: "on hold", icon: "music" },
  { number: "9197", name: "Tone", about: "steady 1004 Hz", icon: "tone" },
  { number: "2000", name: "Demo phone", about: "uses G.711", icon: "phone" },
];

export function QuickDial() {
  const softphone = useSoftphone();
  return (
    <section class="panel" aria-labelledby="quick-title">
      <h2 id="quick-title">Try it</h2>
      <ul class="quick">
        {QUICK.map(({ number, name, about, icon }) => (
          <li key={number}>
            <button
              type="button"
              data-dial={number}
              onClick={() => void softphone.dial(number)}
              aria-disabled={softphone.line.standing.value.tone !== "good"}
            >
              <Icon name={icon} />
              <span class="quick-name">{name}</span>
              <span class="quick-about">
                {number} · {about}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Recents() {
  const softphone = useSoftphone();
  const { recents } = softphone;
  const now = useNow(30_000);
  if (recents.value.length === 0) {
    return (
      <section class="panel" aria-labelledby="recents-title">
        <h2 id="recents-title">Recent calls</h2>
        <p class="empty">Calls you make and receive are listed here, in this browser only.</p>
      </section>
    );
  }
  return (
    <section class="panel" aria-labelledby="recents-title">
      <div class="panel-head">
        <h2 id="recents-title">Recent calls</h2>
        <button type="button" class="plain" onClick={softphone.clearRecents}>
          Clear
        </button>
      </div>
      <ul class="recents" id="recents">
        {recents.value.map((entry) => (
          <li key={entry.at}>
            <button type="button" onClick={() => void softphone.dial(entry.peer)} title="Call again">
              <span class={`arrow ${failedIn(entry) ? "missed" : entry.outcome ? "neutral" : ""}`}>
                <Icon name={failedIn(entry) ? `${entry.direction}-failed` : entry.direction} size={18} />
              </span>
              <span class="recent-peer">{entry.name || entry.peer}</span>
              <span class={`recent-outcome ${failedIn(entry) ? "missed" : ""}`}>{entry.outcome || clock(entry.seconds)}</span>
              <span class="recent-when">{when(entry.at, Math.max(now, entry.at))}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** True if the call ended in a way that nobody wanted. */
function failedIn({ direction, outcome }: Recent): boolean {
  if (outcome === "declined") return direction === "out";
  return outcome !== "" && outcome !== "cancelled" && outcome !== "answered elsewhere";
}

export function Sound() {
  const { voice, notices } = useSoftphone();
  return (
    <details class="panel" id="sound">
      <summary>
        <h2>Sound</h2>
      </summary>
      <MicrophoneChoice voice={voice} notices={notices} />
      <SpeakerChoice voice={voice} />
      <ProcessingChoice voice={voice} />
    </details>
  );
}

const LIBRARIES: [Library, string][] = [
  ["jssip", "JsSIP"],
  ["sipjs", "SIP.js"],
];

const AUTOCOMPLETE = { user: "username", password: "current-password", displayName: "off", domain: "off" } as const;

export function AccountPanel() {
  const softphone = useSoftphone();
  const { settings, standing } = softphone.line;
  // A signal: what was typed last counts even where it is sent before it is drawn.
  const draft = useSignal<Settings>(settings.value);
  const current = settings.value;
  useEffect(() => {
    draft.value = current;
  }, [current]);
  const wrong = standing.value.tone === "bad" && standing.value.sentence.includes("Account");
  const [open, setOpen] = useState(false);
  // With the notice that sends the person here, not a frame later: whoever types at once types into the field.
  useLayoutEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong]);
  const busy = softphone.voice.active.value.length > 0;
  const field = (name: keyof typeof AUTOCOMPLETE, label: string, placeholder = "") => (
    <>
      <label for={name}>{label}</label>
      <input
        id={name}
        {...(name === "password" ? ({ type: "password" } as const) : ({ type: "text" } as const))}
        autocomplete={AUTOCOMPLETE[name]}
        autocapitalize="off"
        spellcheck={false}
        placeholder={placeholder}
        required={name === "user"}
        value={draft.value[name]}
        onInput={(event) => {
          draft.value = { ...draft.value, [name]: event.currentTarget.value };
        }}
      />
    </>
  );
  return (
    <details class="panel" id="account" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>Account</h2>
        <span class="summary-note">
          {current.user} · {LIBRARIES.find(([id]) => id === current.library)?.[1]}
        </span>
      </summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          softphone.saveSettings(trimmed(draft.value));
        }}
      >
        {field("user", "User name")}
        {field("password", "Password")}
        {field("displayName", "Name shown to others", "optional")}
        {field("domain", "SIP domain", location.hostname)}
        <button type="submit" class="small primary" disabled={busy}>
          Sign in
        </button>
      </form>
      <fieldset class="segments">
        <legend>SIP library</legend>
        {LIBRARIES.map(([id, name]) => (
          <label key={id}>
            <input
              type="radio"
              name="library"
              value={id}
              checked={current.library === id}
              disabled={busy}
              onChange={() => softphone.setLibrary(id)}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
    </details>
  );
}

/** The other pages of the gateway. */
export function Pages() {
  return (
    <nav class="pages" aria-label="Other pages">
      <a href="agent">Agent desktop</a>
      <a href="wallboard">Wallboard</a>
    </nav>
  );
}
