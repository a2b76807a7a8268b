// Which agents are shown, and in which order.
import { type Agent, type Colleague, isWholeAgent, type Status } from "../centre/objects";

export type Filter = "signed-in" | "available" | "busy" | "paused" | "unreachable" | "offline";
export type Sort = "state" | "name" | "time";

export const FILTERS: readonly Filter[] = ["signed-in", "available", "busy", "paused", "unreachable", "offline"];
export const SORTS: readonly Sort[] = ["state", "name", "time"];

/** Agents who need a supervisor's attention come first. */
const ORDER: Record<Status, number> = {
  unreachable: 0,
  ringing: 1,
  connecting: 2,
  talking: 2,
  held: 2,
  direct: 3,
  "wrap-up": 4,
  available: 5,
  paused: 6,
  offline: 7,
};

export function fits(status: Status, filter: Filter): boolean {
  switch (filter) {
    case "signed-in":
      return status !== "offline";
    case "busy":
      return ["ringing", "connecting", "talking", "held", "direct", "wrap-up"].includes(status);
    default:
      return status === filter;
  }
}

export interface Wanted {
  filter: Filter;
  /** Id of a queue; empty for all. */
  queue: string;
  text: string;
  sort: Sort;
}

/** The agents that are wanted, in the order that is wanted. */
export function listed(agents: Iterable<Agent | Colleague>, { filter, queue, text, sort }: Wanted): Agent[] {
  const words = text.trim().toLocaleLowerCase();
  const list = [...agents]
    .filter(isWholeAgent)
    .filter(({ status }) => fits(status, filter))
    .filter(({ queues }) => queue === "" || queues.includes(queue))
    .filter(({ display, name }) => `${display}\n${name}`.toLocaleLowerCase().includes(words));
  const byName = (a: Agent, b: Agent) => a.display.localeCompare(b.display) || a.id.localeCompare(b.id);
  // As text: moments are of one form, and the earlier one stands first.
  const byTime = (a: Agent, b: Agent) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0);
  const byState = (a: Agent, b: Agent) => ORDER[a.status] - ORDER[b.status];
  return list.sort((a, b) => {
    if (sort === "name") return byName(a, b);
    if (sort === "time") return byTime(a, b) || byName(a, b);
    return byState(a, b) || byTime(a, b) || byName(a, b);
  });
}

/** Number of agents of each kind. */
export function counts(agents: Iterable<Agent | Colleague>): Record<Filter, number> {
  const result = { "signed-in": 0, available: 0, busy: 0, paused: 0, unreachable: 0, offline: 0 };
  for (const { status } of agents) for (const filter of FILTERS) if (fits(status, filter)) result[filter] += 1;
  return result;
}
