// People, queues and numbers to call, consult or transfer to.

import { targetFor } from "../account";
import type { Colleague, QueueName, Status, Target } from "../centre/objects";

export interface Entry {
  /** Unique in the list. */
  key: string;
  kind: "agent" | "queue" | "number";
  name: string;
  status?: Status;
  target: Target;
}

/** Those who can talk at once first. */
const ORDER: Record<Status, number> = {
  available: 0,
  paused: 1,
  "wrap-up": 2,
  ringing: 3,
  connecting: 3,
  talking: 3,
  held: 3,
  direct: 3,
  unreachable: 4,
  offline: 5,
};

export function colleagues(text: string, agents: Iterable<Colleague>, me: string | undefined): Colleague[] {
  const wanted = text.trim().toLocaleLowerCase();
  return [...agents]
    .filter(({ id, name, display }) => id !== me && `${display}\n${name}`.toLocaleLowerCase().includes(wanted))
    .sort((a, b) => ORDER[a.status] - ORDER[b.status] || a.display.localeCompare(b.display));
}

/** Colleagues and queues of that name, and the number itself where it is one. */
export function found(
  text: string,
  agents: Iterable<Colleague>,
  queues: Iterable<QueueName>,
  me: string | undefined,
  ownQueue: string | undefined,
): Entry[] {
  const wanted = text.trim().toLocaleLowerCase();
  const people = colleagues(text, agents, me).map(
    ({ id, display, status }): Entry => ({ key: id, kind: "agent", name: display, status, target: { agent: id } }),
  );
  const lines = [...queues]
    .filter(({ id, name }) => id !== ownQueue && name.toLocaleLowerCase().includes(wanted))
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ id, name }): Entry => ({ key: id, kind: "queue", name, target: { queue: id } }));
  const number = numberIn(text);
  const typed: Entry[] = number ? [{ key: `number-${number}`, kind: "number", name: number, target: { number } }] : [];
  return [...typed, ...people, ...lines];
}

/** Typed text as a number that can be dialled: at least two digits, and only characters of numbers. */
export function numberIn(text: string): string | undefined {
  if (!/^[\d\s+*#().\-/]+$/.test(text.trim()) || (text.match(/[\d*#]/g)?.length ?? 0) < 2) return undefined;
  return targetFor(text, "x")
    ?.replace(/^sip:|@x$/g, "")
    .replace(/%23/g, "#");
}
