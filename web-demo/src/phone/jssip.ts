// The phone on JsSIP.
import JsSIP from "jssip";
import type { EndEvent, IceCandidateEvent, RTCSession } from "jssip/lib/RTCSession";
import type { RTCSessionEvent, UnRegisteredEvent } from "jssip/lib/UA";
import { peerName } from "../account";
import {
  type CallListener,
  type CentrePhone,
  type Credentials,
  type End,
  type PhoneCall,
  type PhoneListener,
  sendDigitInAudio,
} from "./phone";

/** Seconds after which a refused REGISTER is tried again, unless the password was the reason. */
const REGISTER_AGAIN = 5;

export function createPhone(credentials: Credentials, listener: PhoneListener): CentrePhone {
  const socket = new JsSIP.WebSocketInterface(credentials.server);
  const ua = new JsSIP.UA({
    sockets: [socket],
    uri: `sip:${credentials.user}@${credentials.domain}`,
    authorization_user: credentials.login ?? credentials.user,
    ...(credentials.instance ? { instance_id: credentials.instance.replace(/^urn:/, "") } : {}),
    password: credentials.password,
    display_name: credentials.displayName || undefined,
    register_expires: 120,
    connection_recovery_min_interval: 1,
    connection_recovery_max_interval: 8,
  });
  let again: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  ua.on("connecting", () => listener.registration({ state: "connecting" }));
  ua.on("connected", () => listener.registration({ state: "registering" }));
  ua.on("disconnected", () => {
    if (!stopped) listener.registration({ state: "offline" });
  });
  ua.on("registered", () => listener.registration({ state: "registered" }));
  ua.on("registrationFailed", (event: UnRegisteredEvent) => {
    const code = event.response?.status_code ?? 0;
    // Without a response the connection is the trouble, and `disconnected` tells of that.
    if (code) listener.registration({ state: "refused", code, reason: event.response.reason_phrase });
    if (code === 401 || code === 403 || code === 407) return;
    clearTimeout(again);
    again = setTimeout(() => ua.isConnected() && ua.register(), REGISTER_AGAIN * 1000);
  });
  ua.on("newRTCSession", ({ originator, session, request }: RTCSessionEvent) => {
    if ((originator as string) !== "remote") return;
    listener.incoming(new JsSipCall(session, "in", request as unknown as Message, credentials.domain, undefined));
  });

  return {
    start: () => ua.start(),
    stop() {
      stopped = true;
      clearTimeout(again);
      const closed = new Promise<void>((resolve) => {
        if (!ua.isConnected()) resolve();
        else ua.on("disconnected", () => resolve());
      });
      ua.stop();
      return closed;
    },
    retry() {
      // Not in JsSIP's types; does nothing while it is connected or connecting.
      if (!stopped) (ua as unknown as { transport: { connect(): void } }).transport.connect();
    },
    register() {
      if (!stopped && ua.isConnected()) ua.register();
    },
    renew(login, password) {
      ua.set("authorization_user", login);
      ua.set("password", password);
    },
    call(target, microphone, callListener) {
      let call: JsSipCall | undefined;
      // The peer connection is made inside ua.call(), before it returns.
      let early: RTCPeerConnection | undefined;
      // So is the request.
      let sent: Message | undefined;
      ua.once("newRTCSession", ({ request }: RTCSessionEvent) => {
        sent = request as unknown as Message;
      });
      const session = ua.call(target, {
        mediaStream: microphone,
        pcConfig: { iceServers: [] },
        eventHandlers: {
          peerconnection: ({ peerconnection }) => {
            if (call) call.listener.connection(peerconnection);
            else early = peerconnection;
          },
        },
      });
      call = new JsSipCall(session, "out", sent, credentials.domain, callListener);
      if (early) callListener.connection(early);
      return call;
    },
  };
}

/** Parts of JsSIP's messages that are read, of requests and responses alike. */
interface Message {
  call_id?: string;
  from_tag?: string;
  to_tag?: string;
  status_code?: number;
  reason_phrase?: string;
  getHeader(name: string): string | undefined;
}

class JsSipCall implements PhoneCall {
  readonly peer: string;
  readonly peerName: string;
  readonly callId: string;
  gatewayTag: string | undefined;
  listener: CallListener;

  constructor(
    readonly session: RTCSession,
    readonly direction: "in" | "out",
    private readonly invite: Message | undefined,
    domain: string,
    listener: CallListener | undefined,
  ) {
    const { uri, display_name } = session.remote_identity;
    this.peer = peerName(uri.user, uri.host, domain);
    this.peerName = display_name ?? "";
    this.callId = invite?.call_id ?? "";
    if (direction === "in") this.gatewayTag = invite?.from_tag;
    this.listener = listener ?? nobody;

    if (direction === "in") {
      session.on("peerconnection", ({ peerconnection }) => this.listener.connection(peerconnection));
    }
    // The first candidate is enough: the gateway learns further addresses from the checks themselves.
    session.on("icecandidate", (event: IceCandidateEvent) => event.ready());
    session.on("progress", ({ response }: { response?: Message }) => {
      if (response) this.listener.ringing(); // otherwise it is our own 180
    });
    session.on("accepted", ({ response }: { response?: Message }) => {
      if (response) this.gatewayTag = response.to_tag; // otherwise it is our own 200
      this.listener.answered();
    });
    session.on("failed", (event) => this.listener.ended(endOf(event)));
    session.on("ended", (event) => this.listener.ended(endOf(event)));
    session.on("newDTMF", ({ originator, dtmf }: { originator: string; dtmf: { tone: string } }) => {
      if (originator === "remote") this.listener.digit(dtmf.tone);
    });
  }

  header(name: string): string | undefined {
    return this.direction === "in" ? this.invite?.getHeader(name) : undefined;
  }

  answer(microphone: MediaStream): void {
    this.session.answer({ mediaStream: microphone, pcConfig: { iceServers: [] } });
  }

  hangUp(): void {
    if (this.session.isEnded()) return;
    this.session.terminate(
      this.direction === "in" && this.session.isInProgress() ? { status_code: 603, reason_phrase: "Decline" } : {},
    );
  }

  rejectBusy(): void {
    if (this.session.isInProgress()) this.session.terminate({ status_code: 486, reason_phrase: "Busy Here" });
  }

  setMuted(muted: boolean): void {
    if (muted) this.session.mute({ audio: true });
    else this.session.unmute({ audio: true });
  }

  setHeld(held: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const begun = held ? this.session.hold({}, resolve) : this.session.unhold({}, resolve);
      if (!begun) reject(new Error("another change of this call is under way"));
    });
  }

  transfer(to: string | PhoneCall, answered: (code: number) => void): void {
    const other = to instanceof JsSipCall ? to.session : undefined;
    const target = other?.remote_identity.uri.toString() ?? String(to);
    const heard = ({ status_line }: { status_line: { status_code: number } }) => answered(Number(status_line.status_code));
    const eventHandlers = {
      trying: heard,
      progress: heard,
      accepted: heard,
      failed: heard,
      requestFailed: ({ response }: { response: Message | null }) => answered(response?.status_code ?? 503),
    };
    const asked: unknown = this.session.refer(target, { ...(other ? { replaces: other } : {}), eventHandlers });
    if (!asked) answered(481);
  }

  sendDigit(digit: string): void {
    if (!sendDigitInAudio(this.session.connection, digit)) this.session.sendDTMF(digit, { duration: 120 });
  }
}

function endOf(event: EndEvent): End {
  const message = event.message as Message | null;
  const originator = event.originator as string;
  // JsSIP itself hangs up a call whose ICE has failed; nobody wanted that.
  if (event.cause === JsSIP.C.causes.RTP_TIMEOUT) return { by: "network", reason: event.cause };
  if (originator === "system" || event.cause === "Connection Error" || event.cause === "Request Timeout") {
    return { by: message?.status_code ? "them" : "network", code: message?.status_code, reason: event.cause };
  }
  return {
    by: originator === "local" ? "us" : "them",
    code: message?.status_code,
    reason: message?.reason_phrase || message?.getHeader("Reason") || event.cause,
  };
}

const nobody: CallListener = {
  ringing() {},
  answered() {},
  ended() {},
  connection() {},
  digit() {},
};
