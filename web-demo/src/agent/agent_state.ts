// The agent, the call through a queue and what rings, as the gateway's events and the page's phone report them together.
import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { type Agent, type AgentNotes, type CentreCall, isDirect, isWholeAgent, type Offer } from "../centre/objects";
import type { CentreState } from "../centre/state";
import { COMMON, callerName } from "../centre/words";
import { read, write } from "../storage";
import type { AgentCall, AgentVoice } from "./agent_voice";

/** Incoming call: the offer as events report it, the INVITE, or both. */
export interface Ringing {
  offer: Offer | undefined;
  invite: AgentCall | undefined;
}

/** The call that wrap-up is about. */
export interface LastCall {
  id: string;
  who: string;
  notes?: AgentNotes[];
  disposition?: string | null;
}

export class AgentState {
  /** The call through a queue that the agent has. */
  readonly call = computed<CentreCall | undefined>(() => {
    const id = this.me.value?.call;
    const found = id ? this.centre.calls.value.get(id) : undefined;
    return found && !isDirect(found) ? found : undefined;
  });

  readonly offer = computed<Offer | undefined>(() => {
    for (const one of this.centre.offers.value.values()) if (one.agent === this.owner.value) return one;
    return undefined;
  });

  /** The SIP call that is heard, or is being made. */
  readonly heard: ReadonlySignal<AgentCall | undefined>;

  readonly rings = computed<Ringing | undefined>(() => {
    // Whoever has answered waits for the gateway to say so, not for the bell.
    if (this.heard.value) return undefined;
    const [offer, invite] = [this.offer.value, this.voice.ringing.value];
    return offer || invite ? { offer, invite } : undefined;
  });

  readonly inCall = computed(() => this.call.value !== undefined || this.heard.value !== undefined);

  /** The last call through a queue that the agent had. */
  readonly lastCall = signal<LastCall | undefined>(read("last-call", "tab"));

  readonly wrappingUp = computed(() => this.me.value?.status === "wrap-up");

  constructor(
    private readonly owner: ReadonlySignal<string | undefined>,
    readonly me: ReadonlySignal<Agent | undefined>,
    private readonly centre: CentreState,
    private readonly voice: AgentVoice,
  ) {
    this.heard = voice.current;
  }

  /** Remembers calls from now on, over a reload too. */
  start(): void {
    effect(() => {
      const now = this.call.value;
      if (!now) return;
      const last = { id: now.id, who: callerName(now.from), notes: now.notes, disposition: now.disposition };
      if (JSON.stringify(this.lastCall.peek()) === JSON.stringify(last)) return;
      this.lastCall.value = last;
      write("last-call", last, "tab");
    });
  }

  forget(): void {
    this.lastCall.value = undefined;
    write("last-call", undefined, "tab");
  }

  /** The call of a colleague's that this agent is asked about, or joined. */
  consultedOn(of: AgentCall | undefined): CentreCall | undefined {
    return of?.consult ? this.centre.calls.value.get(of.consult) : undefined;
  }

  /** Another agent, as people say it; empty where nobody is known by that id. */
  agentName(id: string | null | undefined): string {
    return (id && this.centre.agents.value.get(id)?.display) || "";
  }

  /** Caller that a ringing consultation is about. */
  aboutWhom({ invite }: Ringing): string {
    const asked = this.consultedOn(invite);
    return asked ? callerName(asked.from) : "";
  }
}

/** The agent of whom the events report everything. */
export function agentOf(owner: ReadonlySignal<string | undefined>, centre: CentreState): ReadonlySignal<Agent | undefined> {
  return computed(() => {
    const found = owner.value ? centre.agents.value.get(owner.value) : undefined;
    return isWholeAgent(found) ? found : undefined;
  });
}

export function whoRings({ offer, invite }: Ringing): string {
  return offer ? callerName(offer.call.from) : invite ? invite.call.name || invite.call.peer : COMMON.unknownCaller;
}
