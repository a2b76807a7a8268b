import { useState } from "preact/hooks";
import type { Intent } from "../../centre/objects";
import { Dialog } from "../../centre/ui/dialog";
import { StatusPill } from "../../centre/ui/status";
import { Since } from "../../centre/ui/ticking";
import { COMMON, callerName, STATUS } from "../../centre/words";
import { Icon, Logo } from "../../ui/icons";
import { ThemeButton } from "../../ui/theme";
import { call, line, me, pauseReasons, signOut, stream, user } from "../desk";
import { voice } from "../voice";
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
  const trying =
    (events === "connecting" && !stream.value?.lost.value) ||
    (events === "live" && (phone === "connecting" || phone === "registering" || !phone));
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
  const [asking, setAsking] = useState(false);
  const busy = call.value !== undefined || voice.value !== undefined;
  const go = async () => {
    setAsking(false);
    setLeaving(true);
    // The state stays if the gateway could not be reached.
    if (!(await signOut())) setLeaving(false);
  };
  return (
    <div class="account">
      <span class="account-name" title={user.value?.name}>
        {user.value?.display}
      </span>
      <button type="button" class="plain" id="sign-out" disabled={leaving} onClick={() => (busy ? setAsking(true) : void go())}>
        {COMMON.signOut}
      </button>
      {asking && busy && <SignOutDialog go={() => void go()} close={() => setAsking(false)} />}
    </div>
  );
}

/** Asks before a call is left. */
function SignOutDialog({ go, close }: { go(): void; close(): void }) {
  const centre = call.value;
  const who = centre ? callerName(centre.from) : ((voice.value?.call.name || voice.value?.call.peer) ?? "");
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
export function intentWords({ intent, reason }: Intent): string {
  return (intent === "paused" && reasonLabel(reason)) || STATUS[intent];
}

export function reasonLabel(code: string | null | undefined): string {
  return code ? (pauseReasons.value.find((reason) => reason.code === code)?.label ?? W.automaticPause[code] ?? code) : "";
}
