// The softphone: its account, its calls, and what it says of them.
import { batch, computed, effect, signal } from "@preact/signals";
import { type Library, type Settings, targetFor } from "../account";
import type { PageAudio } from "../audio/page_audio";
import type { End } from "../phone/phone";
import { clock, parseRecents, type Recent, withRecent } from "../recents";
import { read, write } from "../storage";
import type { Page } from "../ui/page";
import { Notices } from "../ui/shell/notices";
import { type Bell, ringWhile } from "../voice/bell";
import type { Call } from "../voice/call";
import { SoundSettings } from "../voice/sound_settings";
import { Voice } from "../voice/voice";
import { outcomeOf } from "../words";
import { AccountLine, type LoadLibrary } from "./account_line";

export class Softphone {
  readonly notices = new Notices();
  readonly sound: SoundSettings;
  readonly line: AccountLine;
  readonly voice: Voice;
  /** The call whose card is open. */
  readonly selected = signal<Call | undefined>(undefined);
  readonly recents = signal<Recent[]>([]);
  /** Text of the field that is dialled from. */
  readonly number = signal(new URLSearchParams(location.search).get("dial") ?? "");
  readonly lastDialled = signal("");
  /** The number is that of a call that failed: the next digit begins another one. */
  readonly failed = signal(false);

  constructor(
    readonly page: Page,
    library?: LoadLibrary,
  ) {
    this.sound = new SoundSettings(page.audio);
    this.line = new AccountLine((wire) => this.voice.incoming(wire), library);
    this.recents.value = recentsOf(this.line.settings.peek().user);
    this.voice = new Voice(page.audio, this.sound, this.notices, {
      line: { retry: () => this.line.reconnect(), call: (...to) => this.line.call(...to) },
      incoming: (call) => this.voice.ring(call),
      begins: (call) => this.begins(call),
      ended: (call, end) => this.ended(call, end),
    });
  }

  start(): void {
    this.sound.start();
    this.voice.start();
    effect(() => write(`recents.${this.line.settings.value.user}`, this.recents.value));
    const rings = computed(() => this.voice.ringing.value.length > 0);
    ringWhile(() => rings.value, bellOf(this.page.audio));
    effect(() => {
      document.title = this.title();
    });
    void this.line.open();
  }

  // ---- account -----------------------------------------------------------------------------------------------

  saveSettings(next: Settings): void {
    batch(() => {
      if (next.user !== this.line.settings.peek().user) this.recents.value = recentsOf(next.user);
      this.line.save(next);
    });
    this.notices.dismiss();
    for (const call of this.voice.calls.peek()) call.hangUp();
    void this.line.open();
  }

  setLibrary(library: Library): void {
    const now = this.line.settings.peek();
    if (library !== now.library) this.saveSettings({ ...now, library });
  }

  readonly clearRecents = (): void => {
    this.recents.value = [];
  };

  // ---- calls -------------------------------------------------------------------------------------------------

  async dial(typed: string): Promise<void> {
    const text = typed.trim();
    if (!text) return;
    const { domain } = this.line.credentials;
    const target = this.target(text);
    if (!target) return;
    if (this.line.registration.peek().state !== "registered") {
      // Why is said already where it is known.
      const why = this.line.standing.peek().sentence;
      this.notices.show(why ? `${text} was not called.` : "Not signed in yet. Try again in a moment.", "error");
      this.line.retry();
      return;
    }
    this.notices.dismiss();
    this.lastDialled.value = text;
    const peer = text.replace(/^(sips?|tel):/i, "").replace(new RegExp(`@${escapeRegExp(domain)}$`), "");
    await this.voice.dial(target, peer, { typed: text });
  }

  /** Goes on with this call, and puts the others on hold. */
  select(call: Call): void {
    this.selected.value = call;
    this.holdOthers(call);
    void this.voice.hold(call, false);
  }

  toggleHold(call: Call): void {
    void this.voice.hold(call, !call.held.peek());
  }

  /** A key of the pad: a digit of the number, or in a call a tone. */
  readonly press = (digit: string): void => {
    const call = this.selected.peek();
    this.page.audio.tones.playKey(digit);
    if (call?.state.peek() === "talking" || call?.state.peek() === "early") call.sendDigit(digit);
    else if (!call) {
      this.number.value = this.failed.peek() ? digit : this.number.peek() + digit;
      this.failed.value = false;
    }
  };

  /** Transfers the other party of a call to what was typed, or to the other party of another call. True where that was asked. */
  transfer(call: Call, to: string | Call): boolean {
    const target = typeof to === "string" ? this.target(to) : to;
    const name = typeof to === "string" ? to.trim() : to.name || to.peer;
    if (!target) return false;
    this.notices.dismiss();
    call.transfer(target, name, (code) => {
      if (code < 300) return;
      const { sentence } = outcomeOf({ by: "them", code }, name, "out", false);
      this.notices.show(`The call was not transferred. ${sentence}`, "error");
    });
    return true;
  }

  /** The SIP address of what was typed; undefined, and said so, where it is none. */
  private target(typed: string): string | undefined {
    const target = targetFor(typed, this.line.credentials.domain);
    if (!target) this.notices.show(`“${typed.trim()}” is not a valid number or address.`, "error");
    return target;
  }

  private begins(call: Call): void {
    this.holdOthers(call);
    this.selected.value = call;
    if (call.direction === "in") return;
    this.number.value = "";
    this.failed.value = false;
  }

  private holdOthers(call: Call): void {
    for (const other of this.voice.calls.peek()) {
      if (other !== call && other.state.peek() === "talking") void this.voice.hold(other, true);
    }
  }

  private ended(call: Call, end: End): void {
    const answered = call.answeredAt.peek() !== undefined;
    const outcome = outcomeOf(end, call.name || call.peer, call.direction, answered);
    if (this.selected.peek() === call) {
      this.selected.value = this.voice.calls.peek().find((other) => other.state.peek() === "talking");
    }
    this.recents.value = withRecent(this.recents.peek(), {
      peer: call.peer,
      name: call.name,
      direction: call.direction,
      at: call.begun,
      seconds: Math.round(call.seconds),
      outcome: outcome.short,
    });
    this.reportEnd(call, end, answered, outcome.sentence);
    // Whoever did not get through finds the number where it was.
    if (call.typed && !answered && outcome.sentence && !this.number.peek()) {
      this.number.value = call.typed;
      this.failed.value = true;
    }
  }

  private reportEnd(call: Call, end: End, answered: boolean, why: string): void {
    const who = call.name || call.peer;
    const given = answered && end.by === "them" ? call.transferring.peek() : undefined;
    // If the gateway is away, the page says so already.
    const known = end.by === "network" && !answered && this.line.standing.peek().sentence !== "";
    const sentence = known && why ? `${who} was not called.` : why;
    if (given !== undefined) this.notices.show(`${who} was transferred to ${given}.`);
    else if (sentence) this.notices.show(sentence, call.direction === "in" && !answered ? "info" : "error");
    else if (answered) this.notices.show(`Call with ${who} ended after ${clock(call.seconds)}.`);
  }

  private title(): string {
    const caller = this.voice.ringing.value[0];
    if (caller) return `${caller.name || caller.peer} is calling`;
    return this.voice.active.value.length > 0 ? "In a call · Cordboard" : "Cordboard phone";
  }
}

export function createSoftphone(page: Page, library?: LoadLibrary): Softphone {
  return new Softphone(page, library);
}

/** The page makes its ring tone itself, where it plays everything else. */
function bellOf(audio: PageAudio): Bell {
  let stop: (() => void) | undefined;
  return {
    start: () => {
      stop ??= audio.tones.ring("incoming");
    },
    stop: () => {
      stop?.();
      stop = undefined;
    },
  };
}

/** Calls that this browser has kept of a user. */
function recentsOf(user: string): Recent[] {
  return parseRecents(JSON.stringify(read(`recents.${user}`) ?? []));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
