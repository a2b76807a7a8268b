import { secondsLeft } from "../../centre/clock";
import { Left } from "../../centre/ui/ticking";
import { Icon } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { useWorkspace } from "../context";
import { W } from "../words";
import { intentWords } from "./header";
import { NotesBefore, Noting } from "./noting";

/** The call is over; what it left to do. */
export function WrapUp() {
  const { state, shell, availability, choices } = useWorkspace();
  const { now } = useCentre();
  const me = state.me.value;
  const until = me?.wrap_up_until;
  const last = state.lastCall.value;
  const next = me?.next;
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
      <button
        type="button"
        class="go"
        id="done"
        disabled={shell.notices.busy.value.has("wrap-up")}
        onClick={() => void availability.finishWrapUp()}
      >
        <Icon name="check" /> {W.done}
      </button>
      <p class="quiet small-text">
        {next && next.intent !== "available" ? W.nextIs(intentWords(next, (code) => choices.reasonLabel(code))) : W.doneHint}
      </p>
    </section>
  );
}
