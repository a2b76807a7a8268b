// The objects of the API, as docs/openapi.json describes them. Only what the pages read.

/** RFC 3339, UTC: "2026-11-23T09:30:00.000Z". */
export type Moment = string;

export type Role = "agent" | "supervisor" | "admin";

export interface User {
  id: string;
  name: string;
  display: string;
  roles: Role[];
  /** The gateway is a demonstration: it has callers to be sent. */
  demo?: boolean;
}

export type Status =
  | "offline"
  | "available"
  | "unreachable"
  | "paused"
  | "ringing"
  | "connecting"
  | "talking"
  | "held"
  | "wrap-up"
  | "direct";

export type IntentKind = "available" | "paused" | "offline";

export interface Intent {
  intent: IntentKind;
  reason?: string | null;
}

/** Properties of an agent that everybody may see. */
export interface Colleague {
  id: string;
  name: string;
  display: string;
  status: Status;
}

export interface Agent extends Colleague {
  since: Moment;
  reason: string | null;
  next: Intent | null;
  reach: "attached" | "suspect" | "detached";
  call: string | null;
  wrap_up_until: Moment | null;
  queues: string[];
  today: AgentDay;
}

export interface AgentDay {
  calls: number;
  talk_s: number;
  wrap_up_s: number;
  paused_s: number;
  signed_in_s: number;
  /** 0..1 */
  occupancy: number;
}

/** Properties of a queue that everybody may see. */
export interface QueueName {
  id: string;
  name: string;
}

export interface Queue extends QueueName {
  strategy: string;
  service_level_target_s: number;
  live: QueueLive;
  today: QueueDay;
  alarms: { waiting: number | null; oldest_s: number | null; service_level: number | null };
}

export interface QueueLive {
  /** Ids of the first 50 who wait, the next one first. */
  line: string[];
  waiting: number;
  oldest_since: Moment | null;
  agents_signed_in: number;
  agents_available: number;
  agents_busy: number;
}

export interface QueueDay {
  entered: number;
  answered: number;
  abandoned: number;
  overflowed: number;
  completed: number;
  /** 0..1; null while nothing counts. */
  service_level: number | null;
  asa_s: number;
  aht_s: number;
  longest_wait_s: number;
}

/** A queue over a stretch of time. */
export interface QueueNumbers extends QueueDay {
  queue: string;
  from: Moment;
  to: Moment;
}

export interface Party {
  number: string;
  display: string;
}

export type CallState = "waiting" | "ringing" | "connecting" | "talking" | "held" | "consulting" | "conference" | "away";

export type Mode = "party" | "listen" | "whisper";

export interface Participant {
  kind: "caller" | "agent" | "other" | "supervisor";
  name: string;
  mode: Mode;
}

export interface Consult {
  to: string;
  state: "ringing" | "talking" | "failed";
  code: number | null;
}

/** Notes of one agent about a call. */
export interface AgentNotes {
  agent: string;
  name: string;
  notes: string;
}

export interface AgentName {
  id: string;
  name: string;
}

export interface CentreCall {
  id: string;
  queue: QueueName | null;
  from: Party;
  to: string;
  priority: number;
  state: CallState;
  since: Moment;
  entered_at: Moment;
  answered_at: Moment | null;
  position: number | null;
  agent: string | null;
  parties: Participant[];
  /** Ids of agents whom the one who has it asks, or who joined. */
  joined: string[];
  transferred_by: AgentName | null;
  notes: AgentNotes[];
  disposition: string | null;
  consult: Consult | null;
}

export interface Offer {
  id: string;
  call: CentreCall;
  agent: string;
  made_at: Moment;
  deadline: Moment;
}

export interface CallRecord {
  id: string;
  call: string;
  kind: "queue" | "missed" | "outbound" | "inbound" | "internal";
  queue: string | null;
  queue_name: string;
  from: Party;
  to: string;
  entered_at: Moment;
  answered_at: Moment | null;
  ended_at: Moment;
  outcome: "completed" | "abandoned" | "overflowed" | "lost" | "hung-up" | "no-answer" | "rejected" | "failed";
  waited_s: number;
  talked_s: number;
  held_s: number;
  agents: AgentName[];
  disposition: string | null;
  notes: string | null;
  notes_by: AgentNotes[];
  mos: { caller: number | null; agent: number | null };
}

export interface Choice {
  code: string;
  label: string;
}

export interface List<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Tokens {
  access_token: string;
  /** Seconds. */
  expires_in: number;
  refresh_token: string;
  user: User;
}

export interface SipSession {
  uri: string;
  websocket: string;
  username: string;
  password: string;
  display: string;
  instance_id: string;
  expires_at: Moment;
}

/** Destination of a call: exactly one of these. */
export type Target = { agent: string } | { queue: string } | { number: string };

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
  | { type: "call.logged"; data: { record: CallRecord } }
  | { type: "offer.made"; data: Offer }
  | { type: "offer.ended"; data: { id: string; call: string; agent: string; how: OfferEnd } }
  | { type: "config.changed"; data: { what: string } };

export type OfferEnd = "accepted" | "rejected" | "no-answer" | "cancelled" | "lost";

export function isWholeAgent(agent: Agent | Colleague | undefined): agent is Agent {
  return agent !== undefined && "reach" in agent;
}

export function isWholeQueue(queue: Queue | QueueName | undefined): queue is Queue {
  return queue !== undefined && "live" in queue;
}
