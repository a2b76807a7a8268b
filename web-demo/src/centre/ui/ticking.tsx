import { secondsLeft, secondsSince } from "../clock";
import { clock } from "../format";
import { now } from "../state";

/** Time since a moment, counting. Only this text is drawn again. */
export function Since({ at }: { at: string | null | undefined }) {
  return <span class="ticking">{clock(secondsSince(at, now.value))}</span>;
}

/** Time left until a moment, counting down. */
export function Left({ until }: { until: string | null | undefined }) {
  return <span class="ticking">{clock(secondsLeft(until, now.value))}</span>;
}
