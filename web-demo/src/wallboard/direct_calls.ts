// Calls that are in no queue, as rows of a table, and how many there are of each direction.
import { type CallKind, type CallLeg, type CentreCall, isDirect, type Moment } from "../centre/objects";
import { callerName } from "../centre/words";

/** Direction of a call that is in no queue. */
export type Direction = Exclude<CallKind, "queue">;

/** In the order in which they are shown. */
export const DIRECTIONS: readonly Direction[] = ["inbound", "outbound", "internal", "transit"];

/** One end of a call, as people read it. */
export interface End {
  name: string;
  /** The number, where the name is another text. */
  number: string;
  /** The party is in a browser. */
  browser: boolean;
}

export interface DirectCall {
  id: string;
  direction: Direction;
  from: End;
  /** Those who are called or talk with the caller. */
  to: End[];
  /** Names of the trunks that the call goes through, each once. */
  trunks: string[];
  state: CentreCall["state"];
  /** Slot in which it is parked. */
  parked?: string;
  /** Time since when it is parked, at which the parties first heard each other, or else at which this state began. */
  since: Moment;
}

/** The calls that are in no queue, the oldest first. */
export function directCalls(calls: Iterable<CentreCall>): DirectCall[] {
  return [...calls]
    .filter(isDirect)
    .map(
      (call): DirectCall => ({
        id: call.id,
        direction: directionOf(call),
        ...endsOf(call),
        trunks: [...new Set((call.legs ?? []).flatMap(({ trunk }) => (trunk ? [trunk] : [])))],
        state: call.state,
        ...(call.parked ? { parked: call.parked.slot } : {}),
        since: call.parked?.since ?? call.answered_at ?? call.since,
      }),
    )
    .sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0) || (a.id < b.id ? -1 : 1));
}

/** Number of calls of each direction; those of which there are none are left out. */
export function directions(calls: Iterable<CentreCall>): [direction: Direction, count: number][] {
  const counts = new Map<Direction, number>();
  for (const call of calls) {
    if (!isDirect(call)) continue;
    const direction = directionOf(call);
    counts.set(direction, (counts.get(direction) ?? 0) + 1);
  }
  return DIRECTIONS.flatMap((direction): [Direction, number][] => {
    const count = counts.get(direction);
    return count === undefined ? [] : [[direction, count]];
  });
}

/** A direction of a later gateway counts as one that says least. */
function directionOf({ kind }: CentreCall): Direction {
  return DIRECTIONS.find((direction) => direction === kind) ?? "internal";
}

/** The caller's leg stands first; without legs there is what the call itself says. */
function endsOf({ from, to, legs = [] }: CentreCall): Pick<DirectCall, "from" | "to"> {
  const parties = legs.filter(({ mode }) => mode === "party");
  const caller = parties.find(({ direction }) => direction === "incoming") ?? parties[0];
  const called = parties.filter((leg) => leg !== caller);
  return {
    from: endOf(caller, from.number, callerName(from)),
    to: called.length > 0 ? called.map((leg) => endOf(leg, to, to)) : [endOf(undefined, to, to)],
  };
}

/** `number` and `name` are the call's own: of a party who came in place of another the leg knows better. */
function endOf(leg: CallLeg | undefined, number: string, name: string): End {
  const own = leg?.number || number;
  const shown = leg?.user?.name || (own === number ? name : own);
  return { name: shown, number: own === shown ? "" : own, browser: leg?.browser ?? false };
}
