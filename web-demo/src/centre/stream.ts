// The event stream: one WebSocket at a time, opened again whenever it breaks, going on where it was cut.
import { signal } from "@preact/signals";
import type { Ask } from "./api";
import { Backoff } from "./backoff";
import { Feed, type Step } from "./feed";
import type { Problem } from "./problem";

export type StreamState = "connecting" | "live" | "waiting" | "stopped";

export interface StreamListener {
  step(step: Step): void;
  /** The sign-in is over, or the role does not allow it. Nothing more comes. */
  refused(code: "signed-out" | "not-allowed"): void;
}

/** The gateway pings every 5 s; silence for so long means that nothing comes any more. */
const SILENCE_MS = 8_000;
/** An attempt that takes longer is abandoned; each further one may take twice as long, for connections that are merely slow. */
const ATTEMPT_MS = 3_000;
const LONGEST_ATTEMPT_MS = 12_000;
const NOT_ALLOWED = 4403;

export class Stream {
  readonly state = signal<StreamState>("stopped");
  /** Time of the next attempt, milliseconds since 1970; undefined while one is under way. */
  readonly again = signal<number | undefined>(undefined);
  /** The connection broke, or never was, and is not back yet. */
  readonly lost = signal(false);
  private readonly feed: Feed;
  private readonly backoff = new Backoff();
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private patience = ATTEMPT_MS;

  constructor(
    tab: string | undefined,
    private readonly ask: Ask,
    private readonly listener: StreamListener,
  ) {
    this.feed = new Feed(tab);
  }

  start(): void {
    addEventListener("online", this.retry);
    document.addEventListener("visibilitychange", this.looked);
    void this.connect();
  }

  stop(): void {
    removeEventListener("online", this.retry);
    document.removeEventListener("visibilitychange", this.looked);
    this.attempt += 1;
    this.drop();
    this.state.value = "stopped";
    this.lost.value = false;
  }

  /** Tries now instead of later, and anew where an attempt hangs. */
  readonly retry = (): void => {
    const { value } = this.state;
    if (value === "waiting" || (value === "connecting" && this.lost.value)) void this.connect();
  };

  private readonly looked = (): void => {
    if (!document.hidden && this.state.value === "waiting") this.retry();
  };

  private async connect(): Promise<void> {
    const mine = ++this.attempt;
    this.drop();
    this.state.value = "connecting";
    this.again.value = undefined;
    this.listen(this.patience);
    let ticket: string;
    try {
      ({ ticket } = await this.ask("POST", "/auth/ticket"));
    } catch (error) {
      if (mine !== this.attempt) return;
      const { status } = error as Problem;
      if (status === 401) this.refuse("signed-out");
      else if (status === 403) this.refuse("not-allowed");
      else this.later();
      return;
    }
    if (mine !== this.attempt) return;
    const url = new URL("api/v1/events", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["cordboard.events.v1", `bearer.${ticket}`]);
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify(this.feed.open()));
      this.mark();
    };
    socket.onmessage = ({ data }) => {
      const step = this.feed.take(String(data));
      if (step.say) socket.send(JSON.stringify(step.say));
      this.listener.step(step);
      this.mark();
      if (this.state.value === "live") this.listen(SILENCE_MS);
    };
    socket.onclose = ({ code }) => {
      if (mine !== this.attempt) return;
      this.attempt += 1;
      // Asking for the next ticket shows whether the sign-in is over.
      if (code === NOT_ALLOWED) this.refuse("not-allowed");
      else this.later();
    };
  }

  /** True if the page is up to date, or will be with the next messages. */
  private mark(): void {
    if (this.feed.at === undefined || this.state.value !== "connecting") return;
    this.state.value = "live";
    this.lost.value = false;
    this.patience = ATTEMPT_MS;
    this.backoff.succeeded();
    this.listen(SILENCE_MS);
  }

  private listen(ms: number): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.attempt += 1;
      if (this.state.value === "connecting") this.patience = Math.min(2 * this.patience, LONGEST_ATTEMPT_MS);
      this.later();
    }, ms);
  }

  private later(): void {
    this.drop();
    const wait = this.backoff.next();
    this.state.value = "waiting";
    this.lost.value = true;
    this.again.value = Date.now() + wait;
    this.timer = setTimeout(() => void this.connect(), wait);
  }

  private refuse(code: "signed-out" | "not-allowed"): void {
    this.stop();
    this.listener.refused(code);
  }

  private drop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
