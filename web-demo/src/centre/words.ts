// Words that both pages of the call centre use. One place to translate.
import type { CallerVerification, CallState, OfferEnd, Status } from "./objects";
import { Problem } from "./problem";

export const STATUS: Record<Status, string> = {
  offline: "Offline",
  available: "Available",
  unreachable: "Unreachable",
  paused: "Paused",
  ringing: "Ringing",
  connecting: "Connecting",
  talking: "Talking",
  held: "On hold",
  "wrap-up": "Wrap-up",
  direct: "Direct call",
};

/** Pauses that the gateway chooses, as others see them. */
export const AUTOMATIC_PAUSE: Readonly<Record<string, string>> = {
  "no-answer": "missed a call",
  lost: "connection lost in a call",
};

export const CALL_STATE: Record<CallState, string> = {
  waiting: "Waiting",
  ringing: "Ringing",
  connecting: "Connecting",
  talking: "Talking",
  held: "On hold",
  consulting: "Consulting",
  conference: "Three-way",
  away: "Agent away",
};

export const OFFER_END: Record<OfferEnd, string> = {
  accepted: "",
  rejected: "",
  "no-answer": "Missed – the call was passed on.",
  cancelled: "The caller hung up, or a colleague took the call.",
  lost: "Missed – this page could not be reached in time, so the call was passed on.",
};

export const COMMON = {
  product: "Cordboard",
  signIn: "Sign in",
  signingIn: "Signing in",
  signOut: "Sign out",
  user: "User",
  password: "Password",
  close: "Close",
  cancel: "Cancel",
  dismiss: "Dismiss",
  tryNow: "Try now",
  unknownCaller: "Unknown caller",
  signedOutElsewhere: "You were signed out. Sign in again to continue.",
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  reconnectingIn: (seconds: number) => (seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting"),
  phoneOff: "Phone off",
  signInAsOther: "Sign in as someone else",
  superseded: "Another tab took over",
  supersededText: "You are working in another tab or browser now. An active call moved there with you.",
  takeOver: "Take over here",
  messages: "Messages",
  outdated: "The gateway was updated. Reload this page when it suits you; an active call comes back.",
  reload: "Reload",
  copiedTab: "This tab is a copy of another one. Sign in here to take over from it.",
};

const PROBLEMS: Record<string, string> = {
  "no-connection": "The gateway is not responding. Check your connection and try again.",
  "bad-credentials": "User or password is wrong.",
  "invalid-token": "You were signed out. Sign in again.",
  "token-reused": "You were signed out because your sign-in was used elsewhere.",
  unauthenticated: "You are not signed in.",
  forbidden: "You are not allowed to do this.",
  "unknown-call": "This call is no longer yours.",
  "unknown-agent": "No such agent.",
  "unknown-queue": "No such queue.",
  "offer-gone": "This call is already gone.",
  "wrong-state": "That is not possible right now.",
  "not-wrapping-up": "Wrap-up is already over.",
  "agent-busy": "This colleague is on another call.",
  unreachable: "Nobody can be reached there.",
  "not-allowed": "You are not allowed to call this number.",
  busy: "The gateway is busy. Try again in a moment.",
  unavailable: "This is not available right now. Try again in a moment.",
};

export function problemWords(error: unknown): string {
  if (!(error instanceof Problem)) return "That did not work. Try again.";
  if (error.code === "too-many-attempts") {
    return `Too many attempts. Try again in ${Math.ceil((error.retryAfter ?? 60) / 60)} min.`;
  }
  const known = PROBLEMS[error.code];
  return (
    known ??
    (error.message && error.message !== error.code
      ? `That did not work: ${error.message}.`
      : `That did not work (${error.status}).`)
  );
}

/** Verdict on the caller's right to the number, in few words. */
export function verificationLabel({ verdict, attestation }: CallerVerification): string {
  switch (verdict) {
    case "verified":
      return attestation === "A" ? "Verified number" : "Verified origin";
    case "failed":
      return "Number may be forged";
    case "absent":
      return "Number not verified";
    default:
      return "Number not verified yet";
  }
}

/** What the verdict rests on. */
export function verificationDetail({ verdict, attestation, reason }: CallerVerification): string {
  if (verdict !== "verified") return reason ?? "";
  switch (attestation) {
    case "A":
      return "The caller's carrier vouches for it (attestation A).";
    case "B":
      return "The carrier knows the caller, not whether the number is theirs (attestation B).";
    case "C":
      return "The carrier knows only where the call came in (attestation C).";
    default:
      return "The call is signed.";
  }
}

/** The caller as people read it. */
export function callerName(party: { number: string; display: string }): string {
  return party.display || party.number || COMMON.unknownCaller;
}
