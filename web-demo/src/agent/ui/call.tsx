import { useLayoutEffect, useRef } from "preact/hooks";
import { secondsSince } from "../../centre/clock";
import { clock } from "../../centre/format";
import type { CentreCall } from "../../centre/objects";
import { Since } from "../../centre/ui/ticking";
import { Verification } from "../../centre/ui/verification";
import { CALL_STATE, callerName } from "../../centre/words";
import { useNow } from "../../ui/hooks";
import { Icon } from "../../ui/icons";
import { Levels } from "../../ui/levels";
import { Pad } from "../../ui/pad";
import { QualityView } from "../../ui/quality";
import { keepStill } from "../../ui/repeats";
import { useCentre } from "../../ui/shell/context";
import type { Call } from "../../voice/call";
import type { AgentState } from "../agent_state";
import type { AgentCall } from "../agent_voice";
import { useWorkspace } from "../context";
import { isTyping } from "../shortcuts";
import { W } from "../words";
import { Controls } from "./controls";
import { NotesBefore, Noting } from "./noting";
import { Consulting, Parties } from "./parties";
import { TransferPanel } from "./transfer";

const SIP_STATE = {
  calling: "Calling",
  ringing: "Ringing",
  early: "Ringing",
  incoming: "Calling you",
  answering: "Connecting",
  talking: "Talking",
  over: "Ended",
} as const;

/** State of the agent's call, in a word or two. */
export function stateOf(state: AgentState): string {
  const centre = state.call.value;
  const heard = state.heard.value;
  if (centre) return CALL_STATE[centre.state];
  if (!heard) return "";
  const sip = heard.call;
  if (state.consultedOn(heard)?.state === "conference" && sip.state.value === "talking") return CALL_STATE.conference;
  // The gateway decides when it counts as answered.
  if (heard.centre) return CALL_STATE.connecting;
  if (sip.state.value === "talking" && sip.held.value) return CALL_STATE.held;
  return SIP_STATE[sip.state.value];
}

export function CallView() {
  const { state, drawer, calls } = useWorkspace();
  const centre = state.call.value;
  const heard = state.heard.value;
  const sip = heard?.call;
  // The INVITE is here before the events are.
  const id = centre?.id ?? heard?.centre;
  const key = id ?? (sip ? `sip-${sip.id}` : "");
  const card = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    drawer.value = undefined;
    // From the offer's buttons, which are gone, to the call as a whole: the next Enter or Space must not do anything to it.
    if (!isTyping(document.activeElement as HTMLElement | null)) card.current?.focus({ preventScroll: true });
  }, [key]);
  const known = centre ?? state.consultedOn(heard);
  const who = centre ? callerName(centre.from) : sip ? sip.name || sip.peer : "";
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
      <CallHead centre={centre} heard={heard} who={who} />
      <Hints centre={centre} sip={sip} />
      {centre?.consult && <Consulting centre={centre} />}
      {centre && centre.parties.length > 2 && <Parties centre={centre} />}

      <Controls centre={centre} sip={sip} talking={talking} />
      {drawer.value === "keypad" && (
        <div id="keypad" class="drawer">
          <output class="digits" id="digits" aria-label={W.keysPressed}>
            {sip?.digits.value || "\u00a0"}
          </output>
          <Pad label={W.keypad} press={calls.press} />
        </div>
      )}
      {drawer.value === "transfer" && centre && !centre.consult && <TransferPanel centre={centre} />}

      {sip && <Levels call={sip} silent={sip.muted.value} />}
      {known && <NotesBefore notes={known.notes} />}
      {id && <Noting id={id} result={known?.disposition} />}
      {known && <Facts call={known} />}
      {sip?.state.value === "talking" && <QualityView call={sip} held={centre?.state === "held"} />}
    </section>
  );
}

/** Names of the caller and the call, and how it stands. */
function CallHead({ centre, heard, who }: { centre: CentreCall | undefined; heard: AgentCall | undefined; who: string }) {
  const { state } = useWorkspace();
  const sip = heard?.call;
  const queue = centre ? centre.queue?.name : heard?.queue;
  const direct = centre === undefined && heard?.centre === undefined;
  const asked = centre ? undefined : state.consultedOn(heard);
  const known = centre ?? asked;
  const number = centre ? centre.from.number : sip?.peer;
  return (
    <div class="call-head">
      <div class="call-who">
        <h2 class="peer">{who}</h2>
        <p class="quiet">
          {number && number !== who && <span>{number}</span>}
          {queue && <b class="chip">{queue}</b>}
          {direct && <b class="chip">{heard?.consult ? W.consultTitle : W.offerDirect}</b>}
        </p>
        <Verification of={centre?.from.verification} />
        {asked && (
          <p class="quiet" id="call-about">
            {W.about(state.agentName(asked.agent), callerName(asked.from))}
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
          {stateOf(state)}
        </p>
        <p class="timer" role="timer" id="timer">
          {centre ? <Since at={centre.answered_at ?? centre.since} /> : sip && <SipTimer sip={sip} />}
        </p>
      </div>
    </div>
  );
}

function Facts({ call }: { call: CentreCall }) {
  const { now } = useCentre();
  return (
    <dl class="facts">
      <div>
        <dt>{W.waited}</dt>
        <dd>{clock(secondsSince(call.entered_at, Date.parse(call.answered_at ?? "") || now.value))}</dd>
      </div>
      <div>
        <dt>{W.dialled}</dt>
        <dd>{call.to}</dd>
      </div>
    </dl>
  );
}

function SipTimer({ sip }: { sip: Call }) {
  useNow(500);
  return <span class="ticking">{sip.answeredAt.value === undefined ? "\u00a0" : clock(sip.seconds)}</span>;
}

function Hints({ centre, sip }: { centre: CentreCall | undefined; sip: Call | undefined }) {
  const { line, sound, agentVoice } = useWorkspace();
  return (
    <>
      {centre && !sip && (
        <p class="hint warn" role="status" id="voiceless">
          <Icon name="nosignal" size={18} />
          <span>
            {W.noVoice} {centre.state === "away" && W.awayText}
          </span>
          <button type="button" class="small" onClick={() => line.register()}>
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
          <button type="button" class="small" onClick={() => void agentVoice.voice.changeMicrophone(sound.microphone.value)}>
            {W.useMicrophone}
          </button>
        </p>
      )}
    </>
  );
}
