// The page's needs of a SIP library, and nothing more. `jssip.ts` and `sipjs.ts` implement them.

export interface Credentials {
  /** User part of the address: "1001". */
  user: string;
  password: string;
  /** Shown to the people called; may be empty. */
  displayName: string;
  /** Host part of the address: "127.0.0.1", "[::1]", "pbx.example". */
  domain: string;
  /** ws:// or wss:// address of the gateway. */
  server: string;
  /** Digest user name, where it is not `user`. */
  login?: string;
  /** `+sip.instance`, the same after a reload: "urn:uuid:…". */
  instance?: string;
}

export type Registration =
  | { state: "connecting" }
  | { state: "registering" }
  | { state: "registered" }
  /** The gateway said no; `code` is the SIP status. */
  | { state: "refused"; code: number; reason: string }
  /** The WebSocket is closed; the library tries again by itself. */
  | { state: "offline" };

/** Why a call is over. `code` is the SIP status where a final response ended it. */
export interface End {
  by: "us" | "them" | "network";
  code?: number;
  reason?: string;
}

/** {@link End.reason} of a call for which the browser found no address of its own. */
export const NO_ROUTE = "no network route";

export interface PhoneListener {
  registration(state: Registration): void;
  incoming(call: PhoneCall): void;
}

export interface CallListener {
  /** The far end rings. */
  ringing(): void;
  answered(): void;
  ended(end: End): void;
  /** The peer connection exists: its tracks, statistics and state can be watched. */
  connection(pc: RTCPeerConnection): void;
  /** The far end pressed a key (SIP INFO). */
  digit(digit: string): void;
}

export interface PhoneCall {
  readonly direction: "in" | "out";
  /** User part of the other party's address, or the whole address where the domain is another. */
  readonly peer: string;
  readonly peerName: string;
  /** Call-ID of our leg, and the gateway's tag of its dialog once there is one: whoever knows both may ask how the whole call sounds. */
  readonly callId: string;
  readonly gatewayTag: string | undefined;
  listener: CallListener;

  /** A header of the INVITE that came; undefined where it has none, and for calls that we made. */
  header(name: string): string | undefined;
  answer(microphone: MediaStream): void;
  /** Cancels, declines (603) or ends the call, whatever fits its state. */
  hangUp(): void;
  /** Declines an incoming call as busy (486). */
  rejectBusy(): void;
  setMuted(muted: boolean): void;
  /** Resolves when the other side accepted the new direction. */
  setHeld(held: boolean): Promise<void>;
  sendDigit(digit: string): void;
  /**
   * Gives the other party by REFER (RFC 3515) to a target, or to the other party of another call. `answered` hears the SIP status that
   * the target answers, or with which the REFER is refused; after a 2xx the call ends.
   */
  transfer(to: string | PhoneCall, answered: (code: number) => void): void;
}

export interface Phone {
  start(): void;
  /** Unregisters and closes the connection. Resolves at once when there is none. */
  stop(): Promise<void>;
  /** Tries to connect now instead of at the next attempt. */
  retry(): void;
  call(target: string, microphone: MediaStream, listener: CallListener): PhoneCall;
}

/** Further needs of the call centre's pages. */
export interface CentrePhone extends Phone {
  /** Registers now instead of when it is due. */
  register(): void;
  /** Other credentials for the same address, from the next request on. */
  renew(login: string, password: string): void;
}

/** Sends an RFC 4733 digit on the call's audio; false where this call cannot. */
export function sendDigitInAudio(pc: RTCPeerConnection | undefined | null, digit: string): boolean {
  const dtmf = pc?.getSenders().find((sender) => sender.track?.kind === "audio")?.dtmf;
  if (!dtmf || dtmf.canInsertDTMF === false) return false;
  // Waiting tones must not be lost: insertDTMF replaces the buffer.
  dtmf.insertDTMF(dtmf.toneBuffer + digit, 120, 70);
  return true;
}

/** Status of a `message/sipfrag` body (RFC 3420): "SIP/2.0 180 Ringing". */
export function statusOfFragment(body: string): number | undefined {
  const code = /^SIP\/2\.0 (\d{3})\b/i.exec(body)?.[1];
  return code === undefined ? undefined : Number(code);
}

export function infoDigitBody(digit: string): string {
  return `Signal=${digit}\r\nDuration=120\r\n`;
}

/** "Signal=5" of an application/dtmf-relay body. */
export function digitOfInfo(body: string): string | undefined {
  return /^\s*Signal\s*=\s*([0-9A-D*#])/im.exec(body)?.[1]?.toUpperCase();
}
