import { useState } from "preact/hooks";
import { StatusPill } from "../../centre/ui/status";
import { Since } from "../../centre/ui/ticking";
import type { Intent } from "../../centre/objects";
import { COMMON, STATUS } from "../../centre/words";
import { Icon, Logo } from "../../ui/icons";
import { ThemeButton } from "../../ui/theme";
import { line, me, pauseReasons, signOut, stream, user } from "../desk";
import { W } from "../words";
import { Help, helpOpen } from "./help";

export function Header() {
  const agent = me.value;
  return (
    <header class="bar">
      <div class="brand">
        <Logo />
        <h1>
          {W.product} <span class="quiet">{W.title}</span>
        </h1>
      </div>
      {agent && (
        <p class="bar-status">
          <StatusPill status={agent.status} note={agent.status === "paused" ? reasonLabel(agent.reason) : undefined} />
          {agent.status !== "offline" && <Since at={agent.since} />}
        </p>
      )}
      <Connection />
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
      <ThemeButton />
      <Account />
      {helpOpen.value && <Help />}
    </header>
  );
}

/** The gateway's events and the phone as one word; banners say more when it is not well. */
function Connection() {
  const events = stream.value?.state.value;
  const phone = line.value?.registration.value?.state;
  const well = events === "live" && phone === "registered";
  const trying = events === "connecting" || (events === "live" && (phone === "connecting" || phone === "registering" || !phone));
  const [word, tone] = well
    ? [COMMON.connected, "good"]
    : trying
      ? [COMMON.connecting, "busy"]
      : events === "live"
        ? [W.phoneOff, "bad"]
        : [COMMON.reconnecting, "bad"];
  return (
    <p class={`standing ${tone}`} role="status" id="connection" data-state={word}>
      <span class="dot" aria-hidden="true" />
      <span class="standing-word">{word}</span>
    </p>
  );
}

function Account() {
  const [leaving, setLeaving] = useState(false);
  return (
    <div class="account">
      <span class="account-name" title={user.value?.name}>
        {user.value?.display}
      </span>
      <button
        type="button"
        class="plain"
        id="sign-out"
        disabled={leaving}
        onClick={() => {
          setLeaving(true);
          void signOut();
        }}
      >
        {COMMON.signOut}
      </button>
    </div>
  );
}

/** What an agent wants, as people say it. */
export function intentWords({ intent, reason }: Intent): string {
  return (intent === "paused" && reasonLabel(reason)) || STATUS[intent];
}

export function reasonLabel(code: string | null | undefined): string {
  return code ? (pauseReasons.value.find((reason) => reason.code === code)?.label ?? code) : "";
}
