// A gateway of which the REST answers and the events are what the test says.
import { type Api, createApi } from "../../src/centre/api";
import type { SnapshotData } from "../../src/centre/objects";
import { Wire } from "./browser";

const SIP_SESSION = {
  uri: "sip:anna@gateway.test",
  username: "lent-1",
  password: "p",
  display: "Anna",
  websocket: "ws://gateway.test/ws",
  instance_id: "urn:uuid:1",
  expires_at: "2099-01-01T00:00:00.000Z",
};

export class TestGateway {
  /** Requests, in order: "PUT /me/agent/intent". */
  readonly asked: string[] = [];
  /** Answers in place of the usual ones. */
  readonly answers = new Map<string, () => Response>();
  readonly api: Api;
  private seq = 0;

  constructor(private readonly user: { id: string; name: string; roles: string[] }) {
    const fetch = async (path: string, init: RequestInit) => this.answer(`${init.method} ${path.split("?")[0]}`);
    let held: unknown;
    this.api = createApi(fetch, { read: () => held as never, write: (next) => (held = next) });
  }

  /** Opens the socket of the events that was made last, and sends a snapshot. */
  snapshot(data: Partial<SnapshotData>): Wire {
    const wire = this.wire;
    wire.onopen?.();
    this.seq += 1;
    const whole = { me: this.me, agents: [], queues: [], calls: [], offers: [], ...data };
    wire.say({ type: "snapshot", seq: this.seq, time: new Date().toISOString(), data: whole });
    return wire;
  }

  event(type: string, data: unknown): void {
    this.seq += 1;
    this.wire.say({ type, seq: this.seq, time: new Date().toISOString(), data });
  }

  get wire(): Wire {
    const wire = Wire.made.at(-1);
    if (!wire) throw new Error("no socket was opened");
    return wire;
  }

  private get me() {
    return { ...this.user, display: this.user.name };
  }

  private answer(request: string): Response {
    this.asked.push(request);
    const given = this.answers.get(request);
    if (given) return given();
    switch (request) {
      case "POST /auth/login":
        return Response.json({ access_token: "a", expires_in: 600, refresh_token: "r", user: this.me });
      case "POST /auth/ticket":
        return Response.json({ ticket: "t" });
      case "POST /me/sip-session":
        return Response.json(SIP_SESSION);
      case "GET /me/call-handling":
        return Response.json({ do_not_disturb: false, forward: { no_answer_after: 20 }, from_file: true });
      default:
        return request.startsWith("GET") ? Response.json({ items: [] }) : new Response(null, { status: 204 });
    }
  }
}

/** A refusal by the gateway. */
export const refusal = (status: number, code: string) => () => Response.json({ code }, { status });
