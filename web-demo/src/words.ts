// Plain words for what went wrong.
import type { End, Registration } from "./phone/phone";

export interface Outcome {
  /** Short, for the list of calls: "busy". Empty where the call simply ended. */
  short: string;
  /** A sentence for the person, or empty where nothing needs saying. */
  sentence: string;
}

const none: Outcome = { short: "", sentence: "" };

/** The end of a call that was never answered, or that broke. */
export function outcomeOf(end: End, peer: string, direction: "in" | "out", answered: boolean): Outcome {
  if (answered) {
    return end.by === "network"
      ? { short: "broken off", sentence: "The connection to the gateway broke and the call was lost." }
      : none;
  }
  if (direction === "in") {
    if (end.by === "us") return { short: "declined", sentence: "" };
    if (/elsewhere/i.test(end.reason ?? "")) return { short: "answered elsewhere", sentence: "" };
    return { short: "missed", sentence: `You missed a call from ${peer}.` };
  }
  if (end.by === "us" || end.code === 487) return { short: "cancelled", sentence: "" };
  switch (end.code) {
    case 404:
    case 604:
      return { short: "unknown number", sentence: `${peer} is not a number here. Check it and try again.` };
    case 484:
      return { short: "incomplete", sentence: `${peer} is not complete: some digits are missing.` };
    case 486:
    case 600:
      return { short: "busy", sentence: `${peer} is busy.` };
    case 408:
      return { short: "no answer", sentence: `${peer} did not answer.` };
    case 480:
    case 410:
    case 430:
      return { short: "not available", sentence: `${peer} cannot be reached now: nobody answered or the phone is off.` };
    case 403:
      return { short: "not allowed", sentence: `This account may not call ${peer}.` };
    case 603:
      return { short: "declined", sentence: `${peer} declined the call.` };
    case 401:
    case 407:
      return { short: "refused", sentence: "The gateway refused this account. Check the user and password." };
    case 488:
    case 606:
      return { short: "no common codec", sentence: `${peer} and this browser have no common way to send sound.` };
    case 503:
      return { short: "unavailable", sentence: `The line to ${peer} is not working now (503). Try again in a moment.` };
  }
  if (end.by === "network") {
    return { short: "not connected", sentence: "The gateway does not answer. The page keeps trying to reach it." };
  }
  const said = [end.code, end.reason].filter(Boolean).join(" ");
  return { short: "failed", sentence: said ? `The call failed: ${said}.` : "The call failed." };
}

export interface MicrophoneTrouble {
  sentence: string;
  /** A call without a microphone makes sense: one can still listen. */
  listenOnly: boolean;
}

/** Words for an error of getUserMedia(). */
export function microphoneTrouble(error: unknown): MicrophoneTrouble {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return {
        sentence: "The browser refused the microphone. Allow it by the icon in the address bar, then call again.",
        listenOnly: true,
      };
    case "NotFoundError":
    case "OverconstrainedError":
      return { sentence: "No microphone was found. Plug one in, or go on and only listen.", listenOnly: true };
    case "NotReadableError":
    case "AbortError":
      return {
        sentence: "The microphone is in use by another program, or it failed. Free it, or go on and only listen.",
        listenOnly: true,
      };
    case "InsecureContext":
      return {
        sentence: "Browsers give the microphone only to pages from https:// or from this computer (localhost).",
        listenOnly: true,
      };
    default:
      return { sentence: `The microphone could not be opened${name ? ` (${name})` : ""}.`, listenOnly: true };
  }
}

export interface Standing {
  /** One or two words beside the dot. */
  label: string;
  tone: "good" | "busy" | "bad";
  /** A sentence where the person can or should do something. */
  sentence: string;
}

export function standingOf(registration: Registration, user: string): Standing {
  switch (registration.state) {
    case "registered":
      return { label: `Ready as ${user}`, tone: "good", sentence: "" };
    case "connecting":
      return { label: "Connecting", tone: "busy", sentence: "" };
    case "registering":
      return { label: "Signing in", tone: "busy", sentence: "" };
    case "offline":
      return {
        label: "Reconnecting",
        tone: "bad",
        sentence: "The gateway cannot be reached. Trying again; a call that runs goes on if it can.",
      };
    case "refused":
      return registration.code === 401 || registration.code === 403 || registration.code === 407
        ? {
            label: "Wrong password",
            tone: "bad",
            sentence: `The gateway does not accept user ${user} with this password. Correct it under Account.`,
          }
        : registration.code === 404
          ? { label: "Unknown user", tone: "bad", sentence: `The gateway knows no user ${user}. Correct it under Account.` }
          : {
              label: "Not signed in",
              tone: "bad",
              sentence: `The gateway refused to sign ${user} in: ${registration.code} ${registration.reason}.`,
            };
  }
}
