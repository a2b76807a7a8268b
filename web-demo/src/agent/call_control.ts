// Buttons of a call: they ask the gateway about calls through a queue, and the page's phone about the others.
import type { Ask } from "../centre/api";
import type { Target } from "../centre/objects";
import { Problem } from "../centre/problem";
import type { Notices } from "../ui/shell/notices";
import type { AgentState } from "./agent_state";
import type { AgentVoice } from "./agent_voice";
import { W } from "./words";

export class CallControl {
  /** Keys that are on their way to the caller, in order. */
  private keys: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ask: Ask,
    private readonly notices: Notices,
    private readonly state: AgentState,
    private readonly agentVoice: AgentVoice,
  ) {}

  readonly answer = (): void => {
    this.agentVoice.voice.audio.context();
    this.notices.dismissInfo();
    this.agentVoice.answerRinging(this.state.offer.peek()?.id);
  };

  readonly reject = (): void => {
    const now = this.state.rings.peek();
    const id = now?.offer?.id ?? now?.invite?.offer;
    if (!id) {
      this.agentVoice.declineRinging();
      return;
    }
    void this.notices.attempt("reject", () =>
      this.ask("POST", "/offers/{id}/reject", { path: { id } }).catch((error: unknown) => {
        // The bell stops whatever the gateway says.
        this.agentVoice.declineRinging();
        if (error instanceof Problem && error.code === "offer-gone") return;
        throw error;
      }),
    );
  };

  /** Calls a number or a colleague, through no queue. True where the call has begun. */
  dial(typed: string): Promise<boolean> {
    return this.agentVoice.dial(typed);
  }

  readonly toggleHold = (): void => {
    const heard = this.state.heard.peek();
    const now = this.state.call.peek();
    if (now) {
      const path = now.state === "held" ? "/calls/{id}/unhold" : "/calls/{id}/hold";
      void this.request("hold", (of) => this.ask("POST", path, { path: of }));
    }
    // A call through a queue is held by the gateway, once its events are here.
    else if (heard && !heard.centre) void this.agentVoice.voice.hold(heard.call, !heard.call.held.peek());
  };

  readonly toggleMute = (): void => {
    const own = this.state.heard.peek()?.call;
    if (own && !own.listening.peek()) own.toggleMute();
  };

  readonly hangUp = (): void => {
    const own = this.state.heard.peek()?.call;
    const id = this.state.call.peek()?.id;
    if (!id) {
      own?.hangUp();
      return;
    }
    void this.notices.attempt("hangup", () =>
      this.ask("DELETE", "/calls/{id}", { path: { id } }).catch((error: unknown) => {
        // Without the gateway's REST there is still SIP.
        if (!own) throw error;
        own.hangUp();
      }),
    );
  };

  /** Sends a key of the pad: to whoever is consulted in the audio, to the caller by the gateway. */
  readonly press = (digit: string): void => {
    const own = this.state.heard.peek()?.call;
    const now = this.state.call.peek();
    if (!own || own.state.peek() === "calling") return;
    this.agentVoice.voice.audio.tones.playKey(digit);
    if (!now || now.state === "consulting") {
      own.sendDigit(digit);
      return;
    }
    own.digits.value += digit;
    this.keys = this.keys
      .then(() => this.ask("POST", "/calls/{id}/dtmf", { path: { id: now.id }, body: { digits: digit } }))
      .catch(() => this.notices.show(`The tone ${digit} was not sent.`, "error"));
  };

  /** `name` is the target as people read it. */
  async transfer(to: Target, name: string): Promise<boolean> {
    const done = await this.request("transfer", (path) => this.ask("POST", "/calls/{id}/transfer", { path, body: { to } }));
    if (done) this.notices.show(W.transferred(name));
    return done;
  }

  consult(to: Target): Promise<boolean> {
    return this.request("consult", (path) => this.ask("POST", "/calls/{id}/consult", { path, body: { to } }));
  }

  readonly complete = () => this.request("complete", (path) => this.ask("POST", "/calls/{id}/consult/complete", { path }));
  readonly merge = () => this.request("merge", (path) => this.ask("POST", "/calls/{id}/consult/merge", { path }));
  readonly backToCaller = () => this.request("back", (path) => this.ask("DELETE", "/calls/{id}/consult", { path }));
  readonly leave = () => this.request("leave", (path) => this.ask("POST", "/calls/{id}/leave", { path }));

  readonly demoCall = async (): Promise<void> => {
    if (await this.notices.attempt("demo", () => this.ask("POST", "/demo/call", { body: {} }))) this.notices.show(W.demoSent);
  };

  /** Asks something of the gateway about the call that the agent has. */
  private request(name: string, act: (path: { id: string }) => Promise<unknown>): Promise<boolean> {
    const id = this.state.call.peek()?.id;
    return id ? this.notices.attempt(name, () => act({ id })) : Promise.resolve(false);
  }
}
