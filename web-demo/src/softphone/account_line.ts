// The softphone's account and its registration. A tab keeps its own account; what was saved last in any tab is what a new one
// begins with.
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { credentialsFor, type Library, type Settings, settingsFrom } from "../account";
import type { CallListener, Credentials, Phone, PhoneCall, Registration } from "../phone/phone";
import { read, write } from "../storage";
import { type CreatePhone, PhoneRegistration } from "../voice/registration";
import { standingOf } from "../words";

export type LoadLibrary = (library: Library) => Promise<{ createPhone: CreatePhone<Phone> }>;

const CONNECTING: Registration = { state: "connecting" };

export class AccountLine {
  readonly settings = signal<Settings>(
    settingsFrom(location, read<Partial<Settings>>("account", "tab") ?? read<Partial<Settings>>("settings")),
  );
  readonly registration: ReadonlySignal<Registration> = computed(() => this.registered.state.value ?? CONNECTING);
  readonly standing = computed(() => standingOf(this.registration.value, this.settings.value.user));
  private readonly registered: PhoneRegistration;

  constructor(
    incoming: (call: PhoneCall) => void,
    private readonly library: LoadLibrary = (name) => (name === "sipjs" ? import("../phone/sipjs") : import("../phone/jssip")),
  ) {
    this.registered = new PhoneRegistration(incoming);
    write("account", this.settings.peek(), "tab");
  }

  /** Credentials of the account, with the domain that numbers are completed with. */
  get credentials(): Credentials {
    return credentialsFor(this.settings.peek(), location);
  }

  /** Registers with the account as it is now, in place of the one before. */
  async open(): Promise<void> {
    await this.registered.open(async () => {
      const { createPhone } = await this.library(this.settings.peek().library);
      return { create: createPhone, credentials: this.credentials };
    });
  }

  /** Keeps another account. It is used from the next opening on. */
  save(next: Settings): void {
    this.settings.value = next;
    const { password: _, ...kept } = next;
    write("settings", kept);
    write("account", next, "tab");
    // The address bar named another account perhaps, and would win after a reload.
    const address = new URL(location.href);
    for (const name of ["user", "password", "lib"]) address.searchParams.delete(name);
    history.replaceState(history.state, "", address);
  }

  /** Connects now instead of at the next attempt, and signs in anew where that was refused. */
  retry(): void {
    if (this.registration.peek().state === "refused") void this.open();
    else this.reconnect();
  }

  /** Connects now instead of at the next attempt. */
  reconnect(): void {
    this.registered.retry();
  }

  /** @throws where there is no connection. */
  call(target: string, microphone: MediaStream, listener: CallListener): PhoneCall {
    return this.registered.call(target, microphone, listener);
  }
}
