import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call } from "../../call";
import { secondsSince } from "../../centre/clock";
import { clock } from "../../centre/format";
import type { CentreCall } from "../../centre/objects";
import { now } from "../../centre/state";
import { Since } from "../../centre/ui/ticking";
import { CALL_STATE, callerName } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon, type IconName } from "../../ui/icons";
import { Meter } from "../../ui/meter";
import { Pad } from "../../ui/pad";
import { QualityView } from "../../ui/quality";
import { keepStill } from "../../ui/repeats";
import {
  agentName,
  backToCaller,
  call,
  complete,
  consultedOn,
  hangUp,
  leaveCall,
  line,
  merge,
  press,
  toggleHold,
  toggleMute,
} from "../desk";
import { busy } from "../notices";
import { isTyping } from "../shortcuts";
import { microphone } from "../sound";
import { changeMicrophone, voice } from "../voice";
import { W } from "../words";
import { NotesBefore, Noting } from "./noting";
import { TransferPanel } from "./transfer";

/** Panel that is open below the buttons. */
export const drawer = signal<"keypad" | "transfer" | undefined>(undefined);

export function toggleDrawer(name: "keypad" | "transfer"): void {
  drawer.value = drawer.value === name ? undefined : name;
}

const SIP_STATE = {
  calling: "Calling",
  ringing: "Ringing",
  early: "Ringing",
  incoming: "Calling you",
  answering: "Connecting",
  talking: "Talking",
  over: "Ended",
} as const;

/** State of the call, in a word or two. */
export function stateOf(centre: CentreCall | undefined, sip: Call | undefined): string {
  if (centre) return CALL_STATE[centre.state];
  if (!sip) return "";
  if (consultedOn(voice.value)?.state === "conference" && sip.state.value === "talking") return CALL_STATE.conference;
  // The gateway decides when it counts as answered.
  if (voice.value?.centre) return CALL_STATE.connecting;
  if (sip.state.value === "talking" && sip.held.value) return CALL_STATE.held;
  return SIP_STATE[sip.state.value];
}

export function CallView() {
  const centre = call.value;
  const sip = voice.value?.call;
  // The INVITE is here before the events are.
  const id = centre?.id ?? voice.value?.centre;
  const queue = centre ? centre.queue?.name : voice.value?.queue;
  const key = id ?? (sip ? `sip-${sip.id}` : "");
  const card = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    drawer.value = undefined;
    // From the offer's buttons, which are gone, to the call as a whole: the next Enter or Space must not do anything to it.
    if (!isTyping(document.activeElement as HTMLElement | null)) card.current?.focus({ preventScroll: true });
  }, [key]);
  const asked = centre ? undefined : consultedOn(voice.value);
  const known = centre ?? asked;
  const who = centre ? callerName(centre.from) : sip ? sip.name || sip.peer : "";
  const number = centre ? centre.from.number : sip?.peer;
  const talking = centre !== undefined || sip?.state.value === "talking";
  return (
    <section
      class="card call"
      id="call"
      ref={card}
      tabIndex={-1}
      onKeyDown={keepStill}
      aria-label={W.callWith(who)}
      data-state={centre?.state ?? sip?.state.value}
    >
      <div class="call-head">
        <div class="call-who">
          <h2 class="peer">{who}</h2>
          <p class="quiet">
            {number && number !== who && <span>{number}</span>}
            {queue && <b class="chip">{queue}</b>}
            {!id && <b class="chip">{voice.value?.consult ? W.consultTitle : W.offerDirect}</b>}
          </p>
          {asked && (
            <p class="quiet" id="call-about">
              {W.about(agentName(asked.agent), callerName(asked.from))}
            </p>
          )}
          {known?.transferred_by && (
            <p class="quiet" id="call-by">
              {W.transferredBy(known.transferred_by.name)}
            </p>
          )}
        </div>
        <div class="call-time">
          <p class="call-state" id="call-state">
            {stateOf(centre, sip)}
          </p>
          <p class="timer" role="timer" id="timer">
            {centre ? <Since at={centre.answered_at ?? centre.since} /> : sip && <SipTimer sip={sip} />}
          </p>
        </div>
      </div>

      <Hints centre={centre} sip={sip} />
      {centre?.consult && <Consulting centre={centre} />}
      {centre && centre.parties.length > 2 && <Parties centre={centre} />}

      <Controls centre={centre} sip={sip} talking={talking} />
      {drawer.value === "keypad" && (
        <div id="keypad" class="drawer">
          <output class="digits" id="digits" aria-label={W.keysPressed}>
            {sip?.digits.value || "\u00a0"}
          </output>
          <Pad label={W.keypad} press={press} />
        </div>
      )}
      {drawer.value === "transfer" && centre && !centre.consult && <TransferPanel centre={centre} />}

      {sip && (
        <div class="levels">
          <span aria-hidden="true">{W.you_}</span>
          <Meter stream={sip.muted.value ? undefined : sip.microphone.value} label={W.microphoneLevel} />
          <span aria-hidden="true">{W.them}</span>
          <Meter stream={sip.remote.value} label={W.theirLevel} />
        </div>
      )}
      {known && <NotesBefore notes={known.notes} />}
      {id && <Noting id={id} result={known?.disposition} />}
      {known && (
        <dl class="facts">
          <div>
            <dt>{W.waited}</dt>
            <dd>{clock(secondsSince(known.entered_at, Date.parse(known.answered_at ?? "") || now.value))}</dd>
          </div>
          <div>
            <dt>{W.dialled}</dt>
            <dd>{known.to}</dd>
          </div>
        </dl>
      )}
      {sip?.state.value === "talking" && <QualityView call={sip} held={centre?.state === "held"} />}
    </section>
  );
}

function SipTimer({ sip }: { sip: Call }) {
  useNow(500);
  return <span class="ticking">{sip.answeredAt.value === undefined ? "\u00a0" : clock(sip.seconds)}</span>;
}

function Hints({ centre, sip }: { centre: CentreCall | undefined; sip: Call | undefined }) {
  return (
    <>
      {centre && !sip && (
        <p class="hint warn" role="status" id="voiceless">
          <Icon name="nosignal" size={18} />
          <span>
            {W.noVoice} {centre.state === "away" && W.awayText}
          </span>
          <button type="button" class="small" onClick={() => line.value?.register()}>
            {W.noVoiceReload}
          </button>
        </p>
      )}
      {centre?.state === "held" && (
        <p class="hint">
          <Icon name="pause" size={18} />
          <span>
            {W.onHoldFor} <Since at={centre.since} />
          </span>
        </p>
      )}
      {sip?.silent.value && centre?.state !== "held" && (
        <p class="hint warn" role="alert">
          {W.silent}
        </p>
      )}
      {sip?.listening.value && (
        <p class="hint warn">
          <Icon name="muted" size={18} />
          <span>{W.listening}</span>
          <button type="button" class="small" onClick={() => void changeMicrophone(microphone.value)}>
            {W.useMicrophone}
          </button>
        </p>
      )}
    </>
  );
}

function Consulting({ centre }: { centre: CentreCall }) {
  const { consult } = centre;
  if (!consult) return null;
  const text =
    consult.state === "ringing" ? W.askRinging : consult.state === "talking" ? W.askTalking : W.askFailed(consult.code ?? null);
  return (
    <div class={`consult ${consult.state}`} id="consult" role="group" aria-label={W.asking(consult.to)}>
      <p role="status">
        <b>{W.asking(consult.to)}</b> <Since at={centre.since} />
        <br />
        <span class="quiet">{text}</span>
      </p>
      <div class="consult-actions">
        {consult.state === "talking" && (
          <>
            <button
              type="button"
              class="small primary"
              id="complete"
              title={W.completeHint}
              disabled={busy.value.has("complete")}
              onClick={() => void complete()}
            >
              <Icon name="transfer" size={18} /> {W.complete}
            </button>
            <button type="button" class="small" id="merge" disabled={busy.value.has("merge")} onClick={() => void merge()}>
              <Icon name="merge" size={18} /> {W.merge}
            </button>
          </>
        )}
        <button type="button" class="small" id="back" disabled={busy.value.has("back")} onClick={() => void backToCaller()}>
          <Icon name="back" size={18} /> {W.back}
        </button>
      </div>
    </div>
  );
}

function Parties({ centre }: { centre: CentreCall }) {
  const conference = centre.state === "conference";
  return (
    <div class="consult" id="parties">
      <div>
        <h3>{W.threeWay}</h3>
        <ul class="parties">
          {centre.parties.map(({ kind, name, mode }, n) => (
            <li key={n}>
              <Icon name={kind === "supervisor" ? "listen" : "person"} size={16} />
              {kind === "agent" ? W.isYou : name}
              {kind === "supervisor" && mode !== "party" && (
                <span class="quiet">{mode === "listen" ? "listens" : "whispers"}</span>
              )}
            </li>
          ))}
        </ul>
      </div>
      {conference && (
        <button
          type="button"
          class="small"
          id="leave"
          title={W.leaveHint}
          disabled={busy.value.has("leave")}
          onClick={() => void leaveCall()}
        >
          <Icon name="leave" size={18} /> {W.leave}
        </button>
      )}
    </div>
  );
}

function Controls({ centre, sip, talking }: { centre: CentreCall | undefined; sip: Call | undefined; talking: boolean }) {
  const muted = sip?.muted.value ?? false;
  const held = centre ? centre.state === "held" : (sip?.held.value ?? false);
  const canHold = centre
    ? centre.state === "talking" || centre.state === "held"
    : talking && !sip?.changing.value && !voice.value?.centre;
  const canSend = centre ? centre.state === "talking" || centre.state === "held" : false;
  return (
    <div class="controls" role="group" aria-label={W.callWith("")}>
      <Control
        id="mute"
        icon={muted ? "muted" : "microphone"}
        label={muted ? W.unmute : W.mute}
        on={muted}
        off={!sip || sip.listening.value}
        act={toggleMute}
      />
      <Control
        id="hold"
        icon={held ? "play" : "pause"}
        label={held ? W.resume : W.hold}
        on={held}
        off={!canHold || busy.value.has("hold")}
        act={toggleHold}
      />
      <Control
        id="keys"
        icon="keypad"
        label={W.keypad}
        open={drawer.value === "keypad"}
        controls="keypad"
        off={!sip}
        act={() => toggleDrawer("keypad")}
      />
      {centre && (
        <Control
          id="transfer"
          icon="transfer"
          label={W.transfer}
          open={drawer.value === "transfer" && !centre.consult}
          controls="transfer-panel"
          off={!canSend}
          act={() => toggleDrawer("transfer")}
        />
      )}
      <button type="button" id="hangup" class="control end" disabled={busy.value.has("hangup")} onClick={hangUp}>
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
