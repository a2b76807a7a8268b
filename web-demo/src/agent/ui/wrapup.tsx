import { secondsLeft } from "../../centre/clock";
import { now } from "../../centre/state";
import { Left } from "../../centre/ui/ticking";
import { Icon } from "../../ui/icons";
import { finishWrapUp, lastCall, me } from "../desk";
import { busy } from "../notices";
import { W } from "../words";
import { intentWords } from "./header";
import { NotesBefore, Noting } from "./noting";

/** The call is over; what it left to do. */
export function WrapUp() {
  const until = me.value?.wrap_up_until;
  const last = lastCall.value;
  const next = me.value?.next;
  const soon = until ? secondsLeft(until, now.value) <= 10 : false;
  return (
    <section class="card wrapup" aria-labelledby="wrapup-title">
      <div class="call-head">
        <div class="call-who">
          <h2 id="wrapup-title">{W.wrapTitle}</h2>
          {last && <p class="quiet">{W.wrapWith(last.who)}</p>}
        </div>
        <p class={`timer ${soon ? "soon" : ""}`} role="timer" id="wrapup-left">
          {until ? <Left until={until} /> : W.wrapOpen}
        </p>
      </div>
      {last && <NotesBefore notes={last.notes} />}
      {last && <Noting id={last.id} result={last.disposition} />}
      <button type="button" class="go" id="done" disabled={busy.value.has("wrap-up")} onClick={() => void finishWrapUp()}>
        <Icon name="check" /> {W.done}
      </button>
      <p class="quiet small-text">{next && next.intent !== "available" ? W.nextIs(intentWords(next)) : W.doneHint}</p>
    </section>
  );
}
