// The phone on SIP.js.
import { type Info, type Invitation, Inviter, Registerer, RegistererState, type Session, SessionState, UserAgent } from "sip.js";
import { SessionDescriptionHandler } from "sip.js/lib/platform/web/session-description-handler";
import { peerName } from "../account";
import {
  type CallListener,
  type Credentials,
  digitOfInfo,
  type End,
  infoDigitBody,
  type Phone,
  type PhoneCall,
  type PhoneListener,
  sendDigitInAudio,
  statusOfFragment,
} from "./phone";

/** Seconds before the first attempts to connect again. SIP.js itself tries never. */
const CONNECT_AGAIN = [1, 2, 4];
/** Seconds before each later attempt. */
const CONNECT_LATER = 8;
/** Seconds after which a refused REGISTER is tried again, unless the password was the reason. */
const REGISTER_AGAIN = 5;

export function createPhone(credentials: Credentials, listener: PhoneListener): Phone {
  const uri = UserAgent.makeURI(`sip:${credentials.user}@${credentials.domain}`);
  if (!uri) throw new TypeError("not a SIP address");
  const microphones = new WeakMap<Session, MediaStream>();
  let attempt = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const agent = new UserAgent({
    uri,
    authorizationUsername: credentials.login ?? credentials.user,
    authorizationPassword: credentials.password,
    displayName: credentials.displayName,
    transportOptions: { server: credentials.server, connectionTimeout: 5 },
    logLevel: "warn",
    gracefulShutdown: false,
    noAnswerTimeout: 180,
    sessionDescriptionHandlerFactory: (session) => mediaOf(session, microphones),
    delegate: {
      onConnect: () => {
        attempt = 0;
        register();
      },
      onDisconnect: () => {
        if (stopped) return;
        listener.registration({ state: "offline" });
        connectLater();
      },
      onInvite: (invitation) => {
        const { callId } = invitation.request;
        listener.incoming(new SipJsCall(invitation, "in", callId, credentials.domain, undefined, microphones));
      },
    },
  });
  const registerer = new Registerer(agent, { expires: 120, refreshFrequency: 60 });
  registerer.stateChange.addListener((state) => {
    if (state === RegistererState.Registered) listener.registration({ state: "registered" });
  });

  function register(): void {
    listener.registration({ state: "registering" });
    registerer
      .register({
        requestDelegate: {
          // The state does not change when an already registered user registers once more.
          onAccept: () => listener.registration({ state: "registered" }),
          onReject: ({ message }) => {
            const code = message.statusCode ?? 0;
            // SIP.js makes a 503 of its own when the connection breaks below a request.
            if (agent.isConnected()) {
              listener.registration({ state: "refused", code, reason: message.reasonPhrase ?? "" });
            }
            if (code === 401 || code === 403 || code === 407 || stopped) return;
            clearTimeout(again);
            again = setTimeout(() => agent.isConnected() && register(), REGISTER_AGAIN * 1000);
          },
        },
      })
      .catch(() => undefined); // one is under way already
  }

  function connectLater(): void {
    clearTimeout(again);
    const seconds = CONNECT_AGAIN[attempt++] ?? CONNECT_LATER;
    again = setTimeout(connectNow, seconds * 1000);
  }

  function connectNow(): void {
    if (stopped || agent.isConnected()) return;
    clearTimeout(again);
    listener.registration({ state: "connecting" });
    agent.reconnect().catch(() => {
      if (stopped) return;
      listener.registration({ state: "offline" });
      connectLater();
    });
  }

  return {
    start() {
      listener.registration({ state: "connecting" });
      agent.start().catch(() => {
        if (stopped) return;
        listener.registration({ state: "offline" });
        connectLater();
      });
    },
    async stop() {
      stopped = true;
      clearTimeout(again);
      if (agent.isConnected() && registerer.state === RegistererState.Registered) {
        await registerer.unregister().catch(() => undefined);
      }
      await agent.stop().catch(() => undefined);
    },
    retry: connectNow,
    call(target, microphone, callListener) {
      const to = UserAgent.makeURI(target);
      if (!to) throw new TypeError("not a SIP address");
      const inviter = new Inviter(agent, to, { earlyMedia: true });
      const call = new SipJsCall(inviter, "out", inviter.request.callId, credentials.domain, callListener, microphones);
      microphones.set(inviter, microphone);
      call.invite(inviter);
      return call;
    },
  };
}

/** The session's media, with the call's own microphone and no waiting for candidates after the first. */
function mediaOf(session: Session, microphones: WeakMap<Session, MediaStream>): SessionDescriptionHandler {
  const microphone = () => {
    const stream = microphones.get(session);
    return stream ? Promise.resolve(stream) : Promise.reject(new Error("no microphone"));
  };
  const handler = new SessionDescriptionHandler(session.userAgent.getLogger("sip.SessionDescriptionHandler"), microphone, {
    iceGatheringTimeout: 500,
    peerConnectionConfiguration: { iceServers: [] },
  });
  handler.peerConnectionDelegate = { onicecandidate: () => handler.iceGatheringComplete() };
  return handler;
}

class SipJsCall implements PhoneCall {
  readonly peer: string;
  readonly peerName: string;
  listener: CallListener;
  private muted = false;
  private held = false;
  private end: End | undefined;

  constructor(
    readonly session: Session & { state: SessionState },
    readonly direction: "in" | "out",
    readonly callId: string,
    domain: string,
    listener: CallListener | undefined,
    private readonly microphones: WeakMap<Session, MediaStream>,
  ) {
    const { uri, displayName } = session.remoteIdentity;
    this.peer = peerName(uri.user, uri.host, domain);
    this.peerName = displayName && displayName !== uri.user ? displayName : "";
    this.listener = listener ?? nobody;

    session.delegate = {
      onSessionDescriptionHandler: (handler) => {
        const pc = (handler as SessionDescriptionHandler).peerConnection;
        if (pc) this.listener.connection(pc);
      },
      onBye: (bye) => {
        this.end ??= { by: "them", reason: bye.request.getHeader("Reason") };
      },
      onCancel: (cancel) => {
        this.end ??= { by: "them", code: 487, reason: cancel.request.getHeader("Reason") };
      },
      onInfo: (info) => this.onInfo(info),
    };
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) this.listener.answered();
      if (state !== SessionState.Terminated) return;
      // SIP.js changes the state first and tells the reason after, in the same turn.
      queueMicrotask(() => this.listener.ended(this.end ?? { by: "network" }));
    });
  }

  get gatewayTag(): string | undefined {
    return this.session.dialog?.remoteTag;
  }

  header(name: string): string | undefined {
    return this.direction === "in" ? (this.session as Invitation).request.getHeader(name) : undefined;
  }

  invite(inviter: Inviter): void {
    inviter
      .invite({
        requestDelegate: {
          onProgress: () => this.listener.ringing(),
          onReject: ({ message }) => {
            const broken = !inviter.userAgent.isConnected();
            this.end ??= broken ? { by: "network" } : { by: "them", code: message.statusCode, reason: message.reasonPhrase };
          },
        },
      })
      .catch((error: Error) => {
        this.end ??= { by: "network", reason: error.message };
        if (inviter.state !== SessionState.Terminated) inviter.dispose().catch(() => undefined);
      });
  }

  answer(microphone: MediaStream): void {
    this.microphones.set(this.session, microphone);
    (this.session as Invitation).accept().catch((error: Error) => {
      this.end ??= { by: "network", reason: error.message };
    });
  }

  hangUp(): void {
    const { session } = this;
    this.end ??= { by: "us" };
    const ending =
      session.state === SessionState.Established
        ? session.bye()
        : session.state === SessionState.Terminating || session.state === SessionState.Terminated
          ? undefined
          : this.direction === "out"
            ? (session as unknown as Inviter).cancel()
            : (session as Invitation).reject({ statusCode: 603 });
    ending?.catch(() => undefined);
  }

  rejectBusy(): void {
    this.end ??= { by: "us" };
    (this.session as Invitation).reject({ statusCode: 486 }).catch(() => undefined);
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    this.applyTracks();
  }

  async setHeld(held: boolean): Promise<void> {
    const before = this.session.sessionDescriptionHandlerOptionsReInvite;
    this.session.sessionDescriptionHandlerOptionsReInvite = { ...before, hold: held } as object;
    await new Promise<void>((resolve, reject) => {
      this.session
        .invite({
          requestDelegate: {
            onAccept: () => resolve(),
            onReject: ({ message }) => reject(new Error(`${message.statusCode} ${message.reasonPhrase}`)),
          },
        })
        .catch(reject);
    }).catch((error) => {
      this.session.sessionDescriptionHandlerOptionsReInvite = before;
      throw error;
    });
    this.held = held;
    this.applyTracks();
  }

  transfer(to: string | PhoneCall, answered: (code: number) => void): void {
    const target = to instanceof SipJsCall ? to.session : UserAgent.makeURI(String(to));
    if (!target) {
      answered(400);
      return;
    }
    this.session
      .refer(target, {
        requestDelegate: { onReject: ({ message }) => answered(message.statusCode ?? 503) },
        onNotify: (notification) => {
          notification.accept().catch(() => undefined);
          const code = statusOfFragment(notification.request.body);
          if (code) answered(code);
        },
      })
      .catch(() => answered(481));
  }

  sendDigit(digit: string): void {
    if (sendDigitInAudio(this.connection(), digit)) return;
    const body = {
      contentDisposition: "render",
      contentType: "application/dtmf-relay",
      content: infoDigitBody(digit),
    };
    this.session.info({ requestOptions: { body } }).catch(() => undefined);
  }

  private connection(): RTCPeerConnection | undefined {
    return (this.session.sessionDescriptionHandler as SessionDescriptionHandler | undefined)?.peerConnection;
  }

  /** A muted or held call sends nothing. */
  private applyTracks(): void {
    for (const sender of this.connection()?.getSenders() ?? []) {
      if (sender.track) sender.track.enabled = !this.muted && !this.held;
    }
  }

  private onInfo(info: Info): void {
    const message = info.request;
    const digit =
      message.getHeader("Content-Type")?.toLowerCase().startsWith("application/dtmf-relay") && digitOfInfo(message.body);
    if (!digit) {
      info.reject({ statusCode: 415 }).catch(() => undefined);
      return;
    }
    info.accept().catch(() => undefined);
    this.listener.digit(digit);
  }
}

const nobody: CallListener = {
  ringing() {},
  answered() {},
  ended() {},
  connection() {},
  digit() {},
};
