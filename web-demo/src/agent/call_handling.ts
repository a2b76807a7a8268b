// Calls to the agent's own number: do not disturb, and forwarding of all calls. Calls of queues are offered all the same.
import { computed, signal } from "@preact/signals";
import type { Ask } from "../centre/api";
import type { CallHandling as Settings } from "../centre/objects";
import type { Notices } from "../ui/shell/notices";
import { numberIn } from "./directory";
import { W } from "./words";

export class CallHandling {
  /** Settings as the gateway has them; none until they are read. */
  readonly settings = signal<Settings | undefined>(undefined);
  readonly undisturbed = computed(() => this.settings.value?.do_not_disturb ?? false);
  readonly forwardedTo = computed(() => this.settings.value?.forward.always ?? undefined);

  constructor(
    private readonly ask: Ask,
    private readonly notices: Notices,
  ) {}

  /** Reads the settings; without an answer they stay as they are. */
  async load(): Promise<void> {
    const settings = await this.ask("GET", "/me/call-handling").catch(() => undefined);
    if (settings) this.settings.value = settings;
  }

  setUndisturbed(on: boolean): Promise<boolean> {
    return this.change((now) => ({ ...now, do_not_disturb: on }));
  }

  /** Forwards all calls to a number or a user; none: to nobody. True where it was done. */
  async forwardTo(typed: string | undefined): Promise<boolean> {
    const always = typed === undefined ? null : (numberIn(typed) ?? typed.trim());
    if (always === "") {
      this.notices.show(W.forwardNeedsNumber, "error");
      return false;
    }
    return this.change((now) => ({ ...now, forward: { ...now.forward, always } }));
  }

  /** Changes the settings as they are now, perhaps set by a phone or an admin meanwhile. */
  private change(change: (now: Pick<Settings, "do_not_disturb" | "forward">) => Pick<Settings, "do_not_disturb" | "forward">) {
    return this.notices.attempt("call-handling", async () => {
      const { do_not_disturb, forward } = await this.ask("GET", "/me/call-handling");
      const body = change({ do_not_disturb, forward });
      this.settings.value = await this.ask("PUT", "/me/call-handling", { header: { "If-Match": "*" }, body });
    });
  }
}
