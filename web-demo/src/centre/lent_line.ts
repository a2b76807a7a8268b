// The SIP side of a signed-in page: registers with credentials that the gateway lends, and renews them.
import type { ReadonlySignal } from "@preact/signals";
import type { CallListener, CentrePhone, PhoneCall, Registration } from "../phone/phone";
import { type CreatePhone, PhoneRegistration } from "../voice/registration";
import type { Ask } from "./api";
import { Backoff } from "./backoff";
import type { SipSession } from "./objects";

/** Credentials are renewed after this part of their time. */
const RENEW_AT = 0.75;
/** Bounds of the time until then: a browser's clock that is far off, either way, must not make it a loop. */
const RENEW_LEAST_MS = 60_000;
const RENEW_MOST_MS = 12 * 3_600_000;
/** Refusals after which other credentials may help. */
const NOT_ACCEPTED = [401, 403, 407];

export type LoadLibrary = () => Promise<{ createPhone: CreatePhone<CentrePhone> }>;

export class LentLine {
  private readonly registered: PhoneRegistration<CentrePhone>;
  private readonly backoff = new Backoff();
  private domain = "";
  private renewal: ReturnType<typeof setTimeout> | undefined;
  /** Counts openings and closings: what was begun before the last one is abandoned. */
  private opening = 0;

  /** `tab` names the browser tab that the credentials are for. */
  constructor(
    private readonly ask: Ask,
    private readonly tab: () => string,
    incoming: (call: PhoneCall) => void,
    private readonly library: LoadLibrary = () => import("../phone/jssip"),
  ) {
    this.registered = new PhoneRegistration(incoming, (code) => {
      // Credentials end with the sign-in they came from, and when the gateway was started anew.
      if (NOT_ACCEPTED.includes(code)) void this.renew();
    });
  }

  /** Undefined while the line is closed. */
  get registration(): ReadonlySignal<Registration | undefined> {
    return this.registered.state;
  }

  /** Registers, and stays registered until it is closed. */
  async open(): Promise<void> {
    const mine = ++this.opening;
    let lent: SipSession | undefined;
    const registers = await this.registered.open(async () => {
      const [{ createPhone }, borrowed] = await Promise.all([this.library(), this.borrow(mine)]);
      if (!borrowed) return undefined;
      lent = borrowed;
      this.domain = lent.uri.slice(lent.uri.indexOf("@") + 1);
      return {
        create: createPhone,
        credentials: {
          user: userOf(lent.uri),
          password: lent.password,
          displayName: lent.display,
          domain: this.domain,
          server: lent.websocket,
          login: lent.username,
          instance: lent.instance_id,
        },
      };
    });
    if (registers && lent) this.renewBefore(lent);
  }

  /** Registers; where that is done already, goes on with credentials of the present sign-in of the same user. */
  async openAnew(): Promise<void> {
    await (this.registration.peek() ? this.renew() : this.open());
  }

  /** Unregisters. A call that runs ends. */
  async close(): Promise<void> {
    this.opening += 1;
    clearTimeout(this.renewal);
    await this.registered.close();
  }

  /** Connects now instead of at the next attempt. */
  retry(): void {
    this.registered.retry();
  }

  /** Registers now: the gateway calls whoever registers into the call that is waiting for it. */
  register(): void {
    this.registered.phone?.register();
  }

  /** @throws where there is no connection. */
  call(number: string, microphone: MediaStream, listener: CallListener): PhoneCall {
    return this.registered.call(`sip:${number.replace(/#/g, "%23")}@${this.domain}`, microphone, listener);
  }

  private async borrow(mine: number): Promise<SipSession | undefined> {
    while (mine === this.opening) {
      try {
        const lent = await this.ask("POST", "/me/sip-session", { body: { tab: this.tab() } });
        this.backoff.succeeded();
        return lent;
      } catch {
        if (mine !== this.opening) return undefined;
        this.registered.state.value = { state: "offline" };
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
    return undefined;
  }

  private async renew(): Promise<void> {
    const mine = this.opening;
    const lent = await this.borrow(mine);
    if (!lent || mine !== this.opening) return;
    this.registered.phone?.renew(lent.username, lent.password);
    if (this.registration.peek()?.state === "refused") this.registered.phone?.register();
    this.renewBefore(lent);
  }

  private renewBefore(lent: SipSession): void {
    clearTimeout(this.renewal);
    const left = Date.parse(lent.expires_at) - Date.now();
    const wait = Math.min(RENEW_MOST_MS, Math.max(RENEW_LEAST_MS, (Number.isFinite(left) ? left : 0) * RENEW_AT));
    this.renewal = setTimeout(() => void this.renew(), wait);
  }
}

/** "sip:anna@host" -> "anna" */
function userOf(uri: string): string {
  return uri.replace(/^sips?:/, "").replace(/@.*$/s, "");
}
