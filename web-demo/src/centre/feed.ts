// Which events to take, and what to say to the server so that none is missed and none is taken twice. Pure: texts in, steps out.
import type { CentreEvent, Moment, SnapshotData } from "./objects";

export type Subscribe = { op: "subscribe"; from: "snapshot" | number; tab?: string };
export type Say = Subscribe | { op: "pong"; n: number };

/** Effect of one message of the server. */
export interface Step {
  /** To be sent now. */
  say?: Say;
  snapshot?: SnapshotData;
  event?: CentreEvent;
  /** The server's time when it was sent. */
  time?: Moment;
  /** Another tab of the same agent took over. */
  superseded?: boolean;
}

type Operation = { op: "ping"; n: number } | { op: "superseded" } | { op: "resync" };

type Message =
  | Operation
  | { type: "snapshot"; seq: number; time: Moment; data: SnapshotData }
  /** A change that this user may not see has a number and nothing else. */
  | { seq: number; time?: Moment; type?: string; data?: unknown };

const nothing: Step = {};

/** Events that may pass by while one that is missing was asked for: what was under way. More, and it is asked for everything. */
const PATIENCE = 256;

export class Feed {
  /** Number of the last change taken; undefined before the first snapshot. */
  private seq: number | undefined;
  private skipped = 0;
  /** Number of the last change that was passed over. */
  private passed = 0;
  /** The missing ones were asked for; what comes before them is passed over. */
  private mending = false;

  constructor(private readonly tab?: string) {}

  get at(): number | undefined {
    return this.seq;
  }

  /** Message to send when a connection opens. */
  open(): Subscribe {
    this.mending = false;
    return this.subscribe(this.seq ?? "snapshot");
  }

  take(text: string): Step {
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch {
      return nothing;
    }
    if (typeof message !== "object" || message === null) return nothing;
    if ("op" in message) return this.takeOperation(message);
    if (typeof message.seq !== "number") return nothing;
    if (message.type === "snapshot") {
      this.seq = message.seq;
      this.mending = false;
      return { snapshot: message.data as SnapshotData, time: message.time };
    }
    return this.takeEvent(message);
  }

  private takeOperation(message: Operation): Step {
    switch (message.op) {
      case "ping":
        return { say: { op: "pong", n: message.n } };
      case "superseded":
        return { superseded: true };
      case "resync":
        return this.startOver();
      default:
        return nothing;
    }
  }

  private takeEvent(message: { seq: number; time?: Moment; type?: string; data?: unknown }): Step {
    // Without a snapshot there is nothing that a change could change.
    if (this.seq === undefined || message.seq <= this.seq) return nothing;
    if (message.seq > this.seq + 1) {
      // The answer to what was asked has begun, and its first ones are missing too.
      const again = this.mending && message.seq <= this.passed;
      this.passed = message.seq;
      if (this.mending && !again) {
        this.skipped += 1;
        return this.skipped > PATIENCE ? this.startOver() : nothing;
      }
      this.mending = true;
      this.skipped = 0;
      return { say: this.subscribe(this.seq) };
    }
    this.seq = message.seq;
    this.mending = false;
    if (message.type === undefined) return nothing;
    return { event: { type: message.type, data: message.data } as CentreEvent, time: message.time };
  }

  private startOver(): Step {
    this.seq = undefined;
    this.mending = false;
    return { say: this.subscribe("snapshot") };
  }

  private subscribe(from: "snapshot" | number): Subscribe {
    return this.tab === undefined ? { op: "subscribe", from } : { op: "subscribe", from, tab: this.tab };
  }
}
