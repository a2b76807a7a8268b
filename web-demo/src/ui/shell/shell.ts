// Shell of the pages of the call centre: signing in and out, the events, the clock, and what is to be read. What a
// page does besides is in its own object (`ShellHandler`).
import { batch, effect, signal } from "@preact/signals";
import type { Api, Ask } from "../../centre/api";
import type { Step } from "../../centre/feed";
import type { CallRecord, CentreEvent, User } from "../../centre/objects";
import type { Session } from "../../centre/session";
import { CentreState } from "../../centre/state";
import { Stream } from "../../centre/stream";
import { nameTab } from "../../centre/tab";
import { COMMON } from "../../centre/words";
import { read, write } from "../../storage";
import type { Page } from "../page";
import { Notices } from "./notices";
import { PageVersion } from "./page_version";

export type Stage = "starting" | "sign-in" | "not-allowed" | "superseded" | "signed-in";

/** Time after which good news goes by itself. */
const INFO_MS = 8000;

export interface ShellHandler {
  /** Roles, one of which the page is for. */
  readonly roles: readonly string[];
  /** True where a user has the page in one tab at a time. The gateway then says when another tab took over. */
  readonly oneTab: boolean;
  /** True while something runs that outlives the sign-in, as a call does. */
  inUse(): boolean;
  /** Somebody is signed in, and events are on their way. */
  entered(): void;
  /** Lets go of what belongs to the sign-in. */
  left(): Promise<void>;
  /** Forgets what belongs to the user: another one signs in. */
  forgotten(): void;
  /** Reads a step of the events before it changes the state. */
  before?(step: Step): void;
  /** Reads a step after the state was changed. */
  after?(step: Step): void;
  /** A call is over. */
  ended(record: CallRecord): void;
  /** An event about something that the state does not have. */
  other(event: CentreEvent): void;
  /** The page is about to be loaded anew, in the middle of whatever runs. */
  reloading?(): void;
}

export class Shell {
  readonly stage = signal<Stage>("starting");
  /** Text above the form of the sign-in. */
  readonly signInNote = signal("");
  readonly stream = signal<Stream | undefined>(undefined);
  /** Id of the user whose page this is. A sign-in that ended by itself does not change it. */
  readonly owner = signal<string | undefined>(undefined);
  readonly centre = new CentreState();
  readonly notices = new Notices(INFO_MS);
  readonly session: Session;
  readonly ask: Ask;
  /** Name of the browser tab; empty until the page has started. */
  tab = "";

  constructor(
    readonly page: Page,
    api: Api,
    private readonly handler: ShellHandler,
    readonly version: PageVersion = new PageVersion(),
    private readonly reload: () => void = () => location.reload(),
  ) {
    this.session = api.session;
    this.ask = api.ask;
  }

  /** The user who is signed in now; undefined also where the sign-in ended by itself. */
  get signedIn(): User | undefined {
    return this.session.user.value;
  }

  /** Goes on where the tab was before a reload. */
  async start(): Promise<void> {
    this.centre.start();
    // A connection that comes back may lead to a gateway that was updated.
    effect(() => {
      if (this.stream.value?.state.value === "live") void this.version.check();
    });
    const named = await nameTab();
    this.tab = named.name;
    if (named.copied) {
      this.session.abandon();
      this.signInNote.value = COMMON.copiedTab;
      write("superseded", false, "tab");
    }
    if (!this.session.user.peek()) this.stage.value = "sign-in";
    else if (this.handler.oneTab && read("superseded", "tab")) this.stage.value = "superseded";
    else this.enter();
  }

  /** @throws Problem */
  readonly signIn = async (name: string, password: string): Promise<void> => {
    const before = this.owner.peek();
    await this.session.signIn(name, password);
    this.signInNote.value = "";
    if (before !== undefined && before !== this.session.user.peek()?.id) {
      await this.leave();
      this.forget();
    }
    // From within the click: the browser lets the page sound from now on.
    this.page.audio.context();
    this.enter();
  };

  /** Ends the sign-in here, and at the gateway where it can be reached. */
  readonly signOut = async (): Promise<void> => {
    await this.leave();
    this.forget();
    await this.session.signOut();
    this.signInNote.value = "";
    this.stage.value = "sign-in";
  };

  /** Gives the page to this tab from now on. */
  readonly takeOver = (): void => {
    write("superseded", false, "tab");
    this.enter();
  };

  private enter(): void {
    const user = this.session.user.peek();
    if (!user?.roles.some((role) => this.handler.roles.includes(role))) {
      this.stage.value = "not-allowed";
      return;
    }
    this.stream.peek()?.stop();
    const events = new Stream(this.handler.oneTab ? this.tab : undefined, this.ask, {
      step: (step) => this.take(step),
      refused: (why) => this.refused(why),
    });
    batch(() => {
      this.owner.value = user.id;
      this.stream.value = events;
      this.stage.value = "signed-in";
    });
    events.start();
    this.handler.entered();
  }

  private async leave(): Promise<void> {
    this.stream.peek()?.stop();
    this.stream.value = undefined;
    await this.handler.left();
  }

  private forget(): void {
    this.centre.forget();
    batch(() => {
      this.owner.value = undefined;
      this.handler.forgotten();
    });
  }

  private take(step: Step): void {
    if (step.superseded) {
      this.superseded();
      return;
    }
    this.handler.before?.(step);
    this.centre.take(step, this.handler);
    this.handler.after?.(step);
  }

  /** Another tab took over: what is here goes as if the tab were reloaded, so that the gateway calls the other one into a call. */
  private superseded(): void {
    write("superseded", true, "tab");
    if (this.handler.inUse()) {
      this.handler.reloading?.();
      this.reload();
      return;
    }
    this.stage.value = "superseded";
    void this.leave();
  }

  private refused(why: "signed-out" | "not-allowed"): void {
    if (why === "not-allowed") {
      this.stage.value = "not-allowed";
      return;
    }
    this.signInNote.value = COMMON.signedOutElsewhere;
    // A call that runs goes on; the form stands over it.
    if (!this.handler.inUse()) this.stage.value = "sign-in";
  }
}
