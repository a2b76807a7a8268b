// A SIP library that does nothing by itself.
import type { CallListener, CentrePhone, Credentials, PhoneCall, PhoneListener, Registration } from "../../src/phone/phone";

const nobody: CallListener = { ringing() {}, answered() {}, ended() {}, connection() {}, digit() {} };

export class TestCall implements PhoneCall {
  readonly callId = "call-id";
  readonly gatewayTag = undefined;
  readonly peerName = "";
  /** Requests of the page, in order. */
  readonly asked: string[] = [];
  listener: CallListener = nobody;

  constructor(
    readonly direction: "in" | "out",
    readonly peer: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  header(name: string): string | undefined {
    return this.headers[name];
  }

  answer(): void {
    this.asked.push("answer");
  }

  hangUp(): void {
    this.asked.push("hangUp");
    this.listener.ended({ by: "us" });
  }

  rejectBusy(): void {
    this.asked.push("rejectBusy");
    this.listener.ended({ by: "us" });
  }

  setMuted(muted: boolean): void {
    this.asked.push(muted ? "mute" : "unmute");
  }

  async setHeld(held: boolean): Promise<void> {
    this.asked.push(held ? "hold" : "resume");
  }

  sendDigit(digit: string): void {
    this.asked.push(`digit ${digit}`);
  }

  transfer(to: string | PhoneCall, answered: (code: number) => void): void {
    this.asked.push(`transfer ${typeof to === "string" ? to : to.peer}`);
    answered(202);
  }
}

export class TestPhone implements CentrePhone {
  readonly calls: TestCall[] = [];
  readonly asked: string[] = [];

  constructor(
    readonly credentials: Credentials,
    readonly listener: PhoneListener,
  ) {}

  start(): void {
    this.asked.push("start");
  }

  async stop(): Promise<void> {
    this.asked.push("stop");
  }

  retry(): void {
    this.asked.push("retry");
  }

  register(): void {
    this.asked.push("register");
  }

  renew(login: string): void {
    this.asked.push(`renew ${login}`);
  }

  call(target: string, _microphone: MediaStream, listener: CallListener): PhoneCall {
    const call = new TestCall("out", target);
    call.listener = listener;
    this.calls.push(call);
    return call;
  }

  is(state: Registration): void {
    this.listener.registration(state);
  }

  /** An INVITE comes. */
  invite(peer: string, headers: Record<string, string> = {}): TestCall {
    const call = new TestCall("in", peer, headers);
    this.listener.incoming(call);
    return call;
  }
}

/** A library, and the phones that it has made. */
export function testLibrary() {
  const phones: TestPhone[] = [];
  const createPhone = (credentials: Credentials, listener: PhoneListener) => {
    const phone = new TestPhone(credentials, listener);
    phones.push(phone);
    return phone;
  };
  return {
    phones,
    load: async () => ({ createPhone }),
    /** The phone that was made last, once it is there. */
    get phone(): TestPhone {
      const last = phones.at(-1);
      if (!last) throw new Error("no phone was made");
      return last;
    },
  };
}
