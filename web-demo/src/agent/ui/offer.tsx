import { secondsLeft, secondsSince } from "../../centre/clock";
import { clock } from "../../centre/format";
import { Dialog } from "../../centre/ui/dialog";
import { Verification } from "../../centre/ui/verification";
import { callerName } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { whoRings } from "../agent_state";
import { useWorkspace } from "../context";
import { isTyping } from "../shortcuts";
import { W } from "../words";
import { MicrophoneTrouble } from "./banners";
import { NotesBefore } from "./noting";

/** A call rings. */
export function OfferDialog() {
  const { state, calls, shell } = useWorkspace();
  const centre = useCentre();
  const { now } = centre;
  const busy = shell.notices.busy.value;
  const ringing = state.rings.value;
  if (!ringing) return null;
  // Whoever is typing must not answer with the next space or Enter.
  const focus = isTyping(document.activeElement as HTMLElement | null) ? undefined : "#answer";
  const { offer, invite } = ringing;
  const asked = state.consultedOn(invite);
  const known = offer?.call ?? asked;
  const who = whoRings(ringing);
  const number = offer?.call.from.number ?? invite?.call.peer;
  const queue = offer?.call.queue?.name ?? invite?.queue;
  const ready = invite?.call.state.value === "incoming";
  const left = secondsLeft(offer?.deadline, now.value);
  const whole = offer ? Math.max(1, (Date.parse(offer.deadline) - Date.parse(offer.made_at)) / 1000) : 1;
  return (
    <Dialog id="offer" label="offer-who" role="alertdialog" focus={focus} class="offer">
      <p class="offer-label">
        <span class="pulse" aria-hidden="true">
          <Icon name="call" size={20} />
        </span>
        {invite?.consult ? W.consultTitle : queue || offer ? W.offerTitle : W.offerDirect}
        {queue && <b class="chip">{queue}</b>}
      </p>
      <p class="offer-who" id="offer-who">
        {who}
      </p>
      {number && number !== who && <p class="quiet offer-number">{number}</p>}
      {/* A verdict that came while it rang is in the call itself. */}
      <Verification of={offer && (centre.calls.value.get(offer.call.id) ?? offer.call).from.verification} />
      {asked && <p id="offer-about">{W.asksAbout(callerName(asked.from))}</p>}
      {known?.transferred_by && <p id="offer-by">{W.transferredBy(known.transferred_by.name)}</p>}
      {known && (
        <p class="offer-waited">
          <Icon name="clock" size={16} />{" "}
          {W.offerWaited(clock(secondsSince(known.entered_at, Date.parse(known.answered_at ?? "") || now.value)))}
        </p>
      )}
      {known && <NotesBefore notes={known.notes} />}
      <MicrophoneTrouble />
      <div class="offer-actions">
        <button type="button" class="go" id="answer" aria-disabled={busy.has("answer")} onClick={calls.answer}>
          <Icon name="call" />
          <span>{W.answer}</span>
        </button>
        <button type="button" class="stop" id="reject" disabled={busy.has("reject")} onClick={calls.reject}>
          <Icon name="hangup" />
          <span>{W.reject}</span>
        </button>
      </div>
      {offer && (
        <>
          <div class="countdown" aria-hidden="true">
            <i style={{ width: `${Math.min(100, (100 * left) / whole)}%` }} />
          </div>
          <p class="quiet small-text" id="offer-left">
            {busy.has("answer") && !ready ? W.offerConnecting : W.offerLeft(left)}
          </p>
        </>
      )}
    </Dialog>
  );
}
