// The agent's page: everything that it creates once, and who is signed in.
import { computed, signal } from "@preact/signals";
import type { PageAudio } from "../audio/page_audio";
import type { Api } from "../centre/api";
import { Choices } from "../centre/choices";
import { LentLine, type LoadLibrary } from "../centre/lent_line";
import type { CallRecord, CentreEvent } from "../centre/objects";
import { OFFER_END } from "../centre/words";
import { read, write } from "../storage";
import type { Page } from "../ui/page";
import type { PageVersion } from "../ui/shell/page_version";
import { Shell, type ShellHandler } from "../ui/shell/shell";
import { SoundSettings } from "../voice/sound_settings";
import { AgentState, agentOf } from "./agent_state";
import { AgentVoice } from "./agent_voice";
import { startAlerts } from "./alerts";
import { Availability } from "./availability";
import { CallControl } from "./call_control";
import { CallHandling } from "./call_handling";
import { CallHistory } from "./call_history";
import { Drafts } from "./drafts";
import { TabAlert } from "./tab_alert";
import { W } from "./words";

/** Panel below the buttons of a call. */
export type Drawer = "keypad" | "transfer";

/** Parts that a test replaces. */
export interface WorkspaceParts {
  library?: LoadLibrary;
  version?: PageVersion;
  reload?(): void;
}

export class AgentWorkspace {
  readonly shell: Shell;
  readonly audio: PageAudio;
  readonly sound: SoundSettings;
  readonly choices: Choices;
  readonly drafts: Drafts;
  readonly history: CallHistory;
  readonly line: LentLine;
  readonly agentVoice: AgentVoice;
  readonly state: AgentState;
  readonly availability: Availability;
  readonly calls: CallControl;
  readonly callHandling: CallHandling;
  readonly alert = new TabAlert();
  /** There are demo callers to be had. */
  readonly demo = computed(() => this.shell.signedIn?.demo === true);
  /** The browser keeps back sound that should be heard. */
  readonly silenced = computed(
    () => this.availability.needsClick.value || this.audio.speaker.blocked.value || this.audio.ringer.blocked.value,
  );
  readonly drawer = signal<Drawer | undefined>(undefined);
  readonly helpOpen = signal(false);
  readonly shortcutsOn = signal(read<boolean>("shortcuts") ?? true);

  constructor(page: Page, api: Api, { library, version, reload }: WorkspaceParts = {}) {
    const { ask } = api;
    this.audio = page.audio;
    this.shell = new Shell(page, api, this.handler(), version, reload);
    const { notices, owner, centre } = this.shell;
    this.sound = new SoundSettings(page.audio);
    this.choices = new Choices(ask, W.automaticPause);
    this.drafts = new Drafts((call, body) => ask("PUT", "/calls/{id}/notes", { path: { id: call }, body }));
    this.history = new CallHistory(ask, notices);
    const me = agentOf(owner, centre);
    this.line = new LentLine(
      ask,
      () => this.shell.tab,
      (wire) => this.agentVoice.voice.incoming(wire),
      library,
    );
    this.agentVoice = new AgentVoice(page.audio, this.sound, this.line, notices, me);
    this.state = new AgentState(owner, me, centre, this.agentVoice);
    const { voice } = this.agentVoice;
    this.availability = new Availability(ask, notices, this.state, voice, this.drafts, this.alert);
    this.calls = new CallControl(ask, notices, this.state, this.agentVoice);
    this.callHandling = new CallHandling(ask, notices);
  }

  async start(): Promise<void> {
    this.sound.start();
    this.agentVoice.voice.start();
    this.state.start();
    startAlerts(this);
    await this.shell.start();
  }

  /** True where the gateway knows. In a call it must: it gives the caller back to the queue, and hanging up would not. */
  async signOut(): Promise<boolean> {
    const { shell, state } = this;
    const call = state.call.peek();
    const me = state.me.peek();
    if (call) {
      await this.drafts.flush(call.id);
      if (!(await shell.notices.attempt("sign-out", () => shell.session.end()))) return false;
    } else if (me && me.status !== "offline") {
      await shell.ask("PUT", "/me/agent/intent", { body: { intent: "offline" } }).catch(() => undefined);
    }
    await shell.signOut();
    return true;
  }

  /** Rings on the agent's ringer. */
  ring(): void {
    this.audio.ringer.start(this.sound.ringer.value || this.sound.speaker.value, this.sound.ringVolume.peek());
  }

  /** From within a click: the page sounds from now on, and rings if it should. */
  unlock(): void {
    this.audio.context();
    this.audio.speaker.unblock();
    this.availability.needsClick.value = false;
    this.audio.ringer.blocked.value = false;
    if (this.state.rings.peek()) this.ring();
  }

  toggleDrawer(name: Drawer): void {
    this.drawer.value = this.drawer.peek() === name ? undefined : name;
  }

  enableShortcuts(on: boolean): void {
    this.shortcutsOn.value = on;
    write("shortcuts", on);
  }

  private handler(): ShellHandler {
    return {
      roles: ["agent"],
      oneTab: true,
      inUse: () => this.state.heard.peek() !== undefined,
      entered: () => {
        // Whoever was signed out in a call has the call's phone still; it gets credentials of the new sign-in.
        void this.line.openAnew();
        void this.choices.load();
        void this.callHandling.load();
        void this.history.load();
        this.drafts.flushAll();
      },
      left: () => {
        this.state.heard.peek()?.call.hangUp();
        return this.line.close();
      },
      forgotten: () => {
        this.history.forget();
        this.state.forget();
      },
      before: ({ event }) => event && this.beforeEvent(event),
      after: ({ snapshot }) => snapshot && this.drafts.flushAll(),
      ended: (record) => {
        void this.drafts.flush(record.call);
        this.remember(record);
      },
      other: (event) => {
        if (event.type === "config.changed") this.configured(event.data.what);
        else if (event.type === "call.logged") this.remember(event.data.record);
      },
      reloading: () => this.agentVoice.voice.unguard(),
    };
  }

  private configured(what: string): void {
    if (what === "call-handling") void this.callHandling.load();
    else void this.choices.load();
  }

  private beforeEvent(event: CentreEvent): void {
    if (event.type !== "offer.ended" || event.data.agent !== this.shell.owner.peek()) return;
    // An offer that this page answered or rejected needs no words.
    const words = this.state.rings.peek() && OFFER_END[event.data.how];
    if (words) this.shell.notices.show(words);
  }

  private remember(record: CallRecord): void {
    if (record.agents.some(({ id }) => id === this.shell.owner.peek())) this.history.add(record);
  }
}

export function createAgentWorkspace(page: Page, api: Api, parts?: WorkspaceParts): AgentWorkspace {
  return new AgentWorkspace(page, api, parts);
}
