// The SIP side of a signed-in page: registers with credentials that the gateway lends, and renews them.
import { signal } from "@preact/signals";
import type { CallListener, CentrePhone, PhoneCall, Registration } from "../phone/phone";
import { ask } from "./api";
import { Backoff } from "./backoff";
import type { SipSession } from "./objects";

/** Credentials are renewed after this part of their time. */
const RENEW_AT = 0.75;

export class Line {
  readonly registration = signal<Registration | undefined>(undefined);
  private phone: CentrePhone | undefined;
  private domain = "";
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff = new Backoff();
  private generation = 0;

  constructor(
    private readonly tab: string,
    private readonly incoming: (call: PhoneCall) => void,
  ) {}

  /** Registers, and stays registered until it is closed. */
  async open(): Promise<void> {
    const mine = ++this.generation;
    this.registration.value = { state: "connecting" };
    const [{ createPhone }, lent] = await Promise.all([import("../phone/jssip"), this.borrow(mine)]);
    if (!lent || mine !== this.generation) return;
    const user = userOf(lent.uri);
    this.domain = lent.uri.slice(lent.uri.indexOf("@") + 1);
    this.phone = createPhone(
      {
        user,
        password: lent.password,
        displayName: lent.display,
        domain: this.domain,
        server: lent.websocket,
        login: lent.username,
        instance: lent.instance_id,
      },
      {
        registration: (state) => {
          if (mine !== this.generation) return;
          this.registration.value = state;
          // Credentials end with the sign-in they came from, and when the gateway was started anew.
          if (state.state === "refused" && [401, 403, 407].includes(state.code)) void this.renew(mine);
        },
        incoming: this.incoming,
      },
    );
    this.phone.start();
    this.renewBefore(lent, mine);
  }

  /** Goes on with credentials of another sign-in of the same user. */
  async lendAnew(): Promise<void> {
    await this.renew(this.generation);
  }

  /** Unregisters. A call that runs ends. */
  async close(): Promise<void> {
    this.generation += 1;
    clearTimeout(this.renewal);
    const phone = this.phone;
    this.phone = undefined;
    this.registration.value = undefined;
    await phone?.stop();
  }

  /** Connects now instead of at the next attempt. */
  retry(): void {
    this.phone?.retry();
  }

  /** Registers now: the gateway calls whoever registers into the call that is waiting for it. */
  register(): void {
    this.phone?.register();
  }

  /** @throws where there is no connection. */
  call(number: string, microphone: MediaStream, listener: CallListener): PhoneCall {
    if (!this.phone) throw new Error("not connected");
    return this.phone.call(`sip:${number.replace(/#/g, "%23")}@${this.domain}`, microphone, listener);
  }

  private async borrow(mine: number): Promise<SipSession | undefined> {
    while (mine === this.generation) {
      try {
        const lent = await ask("POST", "/me/sip-session", { body: { tab: this.tab } });
        this.backoff.succeeded();
        return lent;
      } catch {
        if (mine !== this.generation) return undefined;
        this.registration.value = { state: "offline" };
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
    return undefined;
  }

  private async renew(mine: number): Promise<void> {
    const lent = await this.borrow(mine);
    if (!lent || mine !== this.generation) return;
    this.phone?.renew(lent.username, lent.password);
    if (this.registration.value?.state === "refused") this.phone?.register();
    this.renewBefore(lent, mine);
  }

  private renewBefore(lent: SipSession, mine: number): void {
    clearTimeout(this.renewal);
    const left = Date.parse(lent.expires_at) - Date.now();
    // A clock that is far off must not make this a loop.
    const wait = Math.max(60_000, (Number.isFinite(left) ? left : 0) * RENEW_AT);
    this.renewal = setTimeout(() => void this.renew(mine), wait);
  }
}

/** "sip:anna@host" -> "anna" */
function userOf(uri: string): string {
  return uri.replace(/^sips?:/, "").replace(/@.*$/s, "");
}
