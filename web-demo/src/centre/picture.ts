// The call centre as the events tell it: a snapshot, and every change laid over it.
import type {
  Agent,
  CallRecord,
  CentreCall,
  CentreEvent,
  Colleague,
  Offer,
  Queue,
  QueueName,
  SnapshotData,
  User,
} from "./objects";

export interface Picture {
  me: User | undefined;
  agents: Map<string, Agent | Colleague>;
  queues: Map<string, Queue | QueueName>;
  calls: Map<string, CentreCall>;
  offers: Map<string, Offer>;
}

export type Part = "agents" | "queues" | "calls" | "offers";

export const PARTS: readonly Part[] = ["agents", "queues", "calls", "offers"];

export function emptyPicture(): Picture {
  return { me: undefined, agents: new Map(), queues: new Map(), calls: new Map(), offers: new Map() };
}

export function pictureOf(data: SnapshotData): Picture {
  const byId = <T extends { id: string }>(list: readonly T[]) => new Map(list.map((item) => [item.id, item]));
  return {
    me: data.me,
    agents: byId(data.agents),
    queues: byId(data.queues),
    calls: byId(data.calls),
    offers: byId(data.offers),
  };
}

/** Lays a change over the picture, in place. Tells which part changed and which call ended. */
export function applyEvent(picture: Picture, event: CentreEvent): { part?: Part; ended?: CallRecord } {
  switch (event.type) {
    case "agent.changed":
      picture.agents.set(event.data.id, event.data);
      return { part: "agents" };
    case "agent.removed":
      picture.agents.delete(event.data.id);
      return { part: "agents" };
    case "queue.changed":
      picture.queues.set(event.data.id, event.data);
      return { part: "queues" };
    case "queue.removed":
      picture.queues.delete(event.data.id);
      return { part: "queues" };
    case "call.changed":
      picture.calls.set(event.data.id, event.data);
      return { part: "calls" };
    case "call.ended":
      picture.calls.delete(event.data.id);
      return { part: "calls", ended: event.data.record };
    case "call.joined":
      picture.calls.delete(event.data.id);
      return { part: "calls" };
    case "offer.made":
      picture.offers.set(event.data.id, event.data);
      return { part: "offers" };
    case "offer.ended":
      picture.offers.delete(event.data.id);
      return { part: "offers" };
    default:
      // Events about objects outside the picture, and events of later gateways.
      return {};
  }
}
