// The agent's own state: for calls or not, and done with wrap-up.
import { signal } from "@preact/signals";
import { closeMicrophone, openMicrophone } from "../audio/microphone";
import type { Ask } from "../centre/api";
import type { IntentKind } from "../centre/objects";
import { Problem } from "../centre/problem";
import type { Notices } from "../ui/shell/notices";
import type { Voice } from "../voice/voice";
import type { AgentState } from "./agent_state";
import type { Drafts } from "./drafts";
import type { TabAlert } from "./tab_alert";

export class Availability {
  /** The browser keeps the page silent until a click. */
  readonly needsClick = signal(false);

  constructor(
    private readonly ask: Ask,
    private readonly notices: Notices,
    private readonly state: AgentState,
    private readonly voice: Voice,
    private readonly drafts: Drafts,
    private readonly alert: TabAlert,
  ) {}

  /** Asks for a state, at once or after the present call. From offline to available it begins with the sound. */
  setIntent(intent: IntentKind, reason?: string): Promise<boolean> {
    if (intent === "available" && this.state.me.peek()?.status === "offline") return this.goOnline();
    return this.request({ intent, ...(reason ? { reason } : {}) });
  }

  /** From within a click: sound, notifications, microphone, then calls. */
  async goOnline(): Promise<boolean> {
    const { audio, sound, trouble } = this.voice;
    audio.context();
    audio.speaker.unblock();
    this.needsClick.value = false;
    void this.alert.allow();
    const go = () => this.request({ intent: "available" });
    try {
      closeMicrophone(await openMicrophone(sound.microphone.peek()));
      void audio.devices.refresh();
    } catch (error) {
      this.voice.ask(error, { retry: () => void this.goOnline(), goOn: () => void go() });
      return false;
    }
    trouble.value = undefined;
    return go();
  }

  async finishWrapUp(): Promise<boolean> {
    const id = this.state.lastCall.peek()?.id;
    return this.notices.attempt("wrap-up", async () => {
      if (id) await this.drafts.flush(id);
      const { disposition } = id ? this.drafts.of(id) : { disposition: undefined };
      try {
        await this.ask("POST", "/me/agent/wrap-up", { body: id ? { call: id, ...(disposition ? { disposition } : {}) } : {} });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        // Wrap-up ended by itself in the same moment.
        if (error.code === "not-wrapping-up") return;
        // The call went on to somebody else: what was noted is kept until it is over.
        if (error.code !== "unknown-call") throw error;
        await this.ask("POST", "/me/agent/wrap-up", { body: {} });
      }
    });
  }

  private request(body: { intent: IntentKind; reason?: string }): Promise<boolean> {
    return this.notices.attempt("intent", () => this.ask("PUT", "/me/agent/intent", { body }));
  }
}
