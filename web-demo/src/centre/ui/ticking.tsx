import { useCentre } from "../../ui/shell/context";
import { secondsLeft, secondsSince } from "../clock";
import { clock, timeOfDay } from "../format";

/** Time since a moment, counting. Only this text is drawn again. */
export function Since({ at }: { at: string | null | undefined }) {
  return <span class="ticking">{clock(secondsSince(at, useCentre().now.value))}</span>;
}

/** Time left until a moment, counting down. */
export function Left({ until }: { until: string | null | undefined }) {
  return <span class="ticking">{clock(secondsLeft(until, useCentre().now.value))}</span>;
}

/** The gateway's time of day. */
export function WallClock() {
  return <time class="wall-clock">{timeOfDay(new Date(useCentre().now.value).toISOString())}</time>;
}
