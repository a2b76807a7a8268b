// The wallboard: everything that the page creates once, and what a supervisor asks of the gateway.
import { computed } from "@preact/signals";
import type { Api } from "../centre/api";
import { Choices } from "../centre/choices";
import type { LoadLibrary } from "../centre/lent_line";
import { type IntentKind, isWholeQueue, type Queue } from "../centre/objects";
import type { Page } from "../ui/page";
import type { PageVersion } from "../ui/shell/page_version";
import { Shell, type ShellHandler } from "../ui/shell/shell";
import { DayNumbers } from "./day_numbers";
import { directCalls, directions } from "./direct_calls";
import { Supervision } from "./supervision";
import { W } from "./words";

/** Parts that a test replaces. */
export interface WallboardParts {
  library?: LoadLibrary;
  version?: PageVersion;
}

export class Wallboard {
  readonly shell: Shell;
  readonly choices: Choices;
  readonly day: DayNumbers;
  readonly supervision: Supervision;

  readonly queues = computed<Queue[]>(() =>
    [...this.shell.centre.queues.value.values()].filter(isWholeQueue).sort((a, b) => a.name.localeCompare(b.name)),
  );

  /** Calls that are in no queue. */
  readonly directCalls = computed(() => directCalls(this.shell.centre.calls.value.values()));

  readonly directions = computed(() => directions(this.shell.centre.calls.value.values()));

  constructor(page: Page, api: Api, { library, version }: WallboardParts = {}) {
    this.shell = new Shell(page, api, this.handler(), version);
    this.choices = new Choices(api.ask);
    this.day = new DayNumbers(api.ask);
    this.supervision = new Supervision(page.audio, api.ask, this.shell.notices, () => this.shell.tab, library);
  }

  start(): Promise<void> {
    return this.shell.start();
  }

  /** @throws Problem */
  async setIntent(agent: string, intent: IntentKind, reason?: string): Promise<void> {
    const body = { intent, ...(reason ? { reason } : {}) };
    await this.shell.ask("PUT", "/agents/{id}/intent", { path: { id: agent }, body });
  }

  private handler(): ShellHandler {
    return {
      roles: ["supervisor", "admin"],
      oneTab: false,
      inUse: () => false,
      entered: () => void this.choices.load(),
      left: () => {
        this.day.stop();
        return this.supervision.stop();
      },
      forgotten: () => {
        this.day.numbers.value = [];
      },
      after: ({ event, snapshot }) => {
        // Calls count in the chart from when they come, and as answered from then on.
        if (event?.type === "call.changed") this.day.loadSoon();
        if (snapshot) void this.day.load();
      },
      ended: () => this.day.loadSoon(),
      other: (event) => {
        if (event.type === "config.changed") void this.choices.load();
        // It stays until somebody has read it.
        if (event.type === "emergency.call") this.shell.notices.show(W.emergency(event.data), "error");
      },
    };
  }
}

export function createWallboard(page: Page, api: Api, parts?: WallboardParts): Wallboard {
  return new Wallboard(page, api, parts);
}
