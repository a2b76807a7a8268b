// The objects of the API under the names that the pages use. Their types are made from docs/openapi.json (`npm run types`);
// only the messages of the event stream, which that document does not describe, are written here (docs/API.md).
import type { components } from "../../types/api";

type Schemas = components["schemas"];

/** RFC 3339, UTC: "2026-11-23T09:30:00.000Z". */
export type Moment = Schemas["Moment"];
export type User = Schemas["User"];
export type Tokens = Schemas["Tokens"];
export type SipSession = Schemas["SipSession"];
export type Agent = Schemas["Agent"];
export type Status = Schemas["Status"];
export type Intent = Schemas["Intent"];
export type IntentKind = Schemas["IntentKind"];
export type AgentNotes = Schemas["AgentNotes"];
export type Queue = Schemas["Queue"];
export type QueueName = Schemas["QueueName"];
export type QueueNumbers = Schemas["List_QueueNumbers"]["items"][number];
export type CentreCall = Schemas["Call"];
/** Direction of a call as the gateway sees it: `inbound` from a trunk, `outbound` to one, `transit` from one to another. */
export type CallKind = Schemas["CallKind"];
export type CallState = Schemas["CallPhase"];
export type CallRecord = Schemas["Record"];
export type CallHandling = Schemas["UserCallHandling"];
export type Mode = Schemas["Mode"];
export type Choice = Schemas["Choice"];
/** Destination of a call: exactly one of its fields. */
export type Target = Schemas["Target"];

/** A live leg: one party's dialog and media. */
export type CallLeg = Schemas["CallLeg"];

/** Properties of an agent that everybody may see. */
export type Colleague = Pick<Agent, "id" | "name" | "display" | "status">;

/** A call offered to an agent. */
export interface Offer {
  id: string;
  call: CentreCall;
  agent: string;
  made_at: Moment;
  deadline: Moment;
}

export interface SnapshotData {
  me: User;
  agents: (Agent | Colleague)[];
  queues: (Queue | QueueName)[];
  calls: CentreCall[];
  offers: Offer[];
}

export type CentreEvent =
  | { type: "agent.changed"; data: Agent | Colleague }
  | { type: "agent.removed"; data: { id: string } }
  | { type: "queue.changed"; data: Queue | QueueName }
  | { type: "queue.removed"; data: { id: string } }
  | { type: "call.changed"; data: CentreCall }
  | { type: "call.ended"; data: { id: string; record: CallRecord } }
  | { type: "call.joined"; data: { id: string; into: string | null } }
  | { type: "call.logged"; data: { record: CallRecord } }
  | { type: "offer.made"; data: Offer }
  | { type: "offer.ended"; data: { id: string; call: string; agent: string; how: OfferEnd } }
  | { type: "config.changed"; data: { what: string } };

export type OfferEnd = "accepted" | "rejected" | "no-answer" | "cancelled" | "lost";

/** True of a call that is in no queue. */
export function isDirect({ kind }: Pick<CentreCall, "kind">): boolean {
  return kind !== undefined && kind !== "queue";
}

export function isWholeAgent(agent: Agent | Colleague | undefined): agent is Agent {
  return agent !== undefined && "reach" in agent;
}

export function isWholeQueue(queue: Queue | QueueName | undefined): queue is Queue {
  return queue !== undefined && "live" in queue;
}
