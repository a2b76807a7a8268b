// Plain words for what went wrong.
import { type End, NO_ROUTE, type Registration } from "./phone/phone";

export interface Outcome {
  /** Short, for the list of calls: "busy". Empty where the call simply ended. */
  short: string;
  /** A sentence for the person, or empty where nothing needs saying. */
  sentence: string;
}

const none: Outcome = { short: "", sentence: "" };

/** A Reason header (RFC 3326) that says that the other side is gone without having hung up. */
const LOST = /connection of the other side lost|cause=408/i;

/** Why a call cannot begin where the browser finds no address of its own. */
export const ROUTELESS =
  "This browser found no network for the call. Check the network connection. Allowing the microphone may help as well.";

/** The end of a call that was never answered, or that broke. */
export function outcomeOf(end: End, peer: string, direction: "in" | "out", answered: boolean): Outcome {
  if (end.reason === NO_ROUTE) return { short: "not connected", sentence: ROUTELESS };
  if (answered) {
    if (end.by === "network") {
      return { short: "disconnected", sentence: "The connection to the gateway was lost, and the call with it." };
    }
    return end.by === "them" && LOST.test(end.reason ?? "")
      ? { short: "disconnected", sentence: `The call ended because ${peer} lost the connection.` }
      : none;
  }
  if (direction === "in") {
    if (end.by === "us" || /declined elsewhere/i.test(end.reason ?? "")) return { short: "declined", sentence: "" };
    if (/elsewhere/i.test(end.reason ?? "")) return { short: "answered elsewhere", sentence: "" };
    return { short: "missed", sentence: `You missed a call from ${peer}.` };
  }
  if (end.by === "us" || end.code === 487) return { short: "cancelled", sentence: "" };
  switch (end.code) {
    case 404:
    case 604:
      return { short: "unknown number", sentence: `No such number: ${peer}. Check it and try again.` };
    case 484:
      return { short: "incomplete", sentence: `${peer} is incomplete: some digits are missing.` };
    case 486:
    case 600:
      return { short: "busy", sentence: `${peer} is busy.` };
    case 408:
      return { short: "no answer", sentence: `${peer} did not answer.` };
    case 480:
    case 410:
    case 430:
      return {
        short: "not available",
        sentence: `${peer} cannot be reached at the moment. Nobody answered, or the phone is off.`,
      };
    case 403:
      return { short: "not allowed", sentence: `This account is not allowed to call ${peer}.` };
    case 603:
      return { short: "declined", sentence: `${peer} declined the call.` };
    case 401:
    case 407:
      return { short: "refused", sentence: "The gateway rejected this account. Check the user name and password." };
    case 488:
    case 606:
      return { short: "no common codec", sentence: `${peer} and this browser have no audio codec in common.` };
    case 503:
      return { short: "unavailable", sentence: `${peer} is unavailable at the moment (503). Try again later.` };
  }
  if (end.by === "network") {
    return { short: "not connected", sentence: "The gateway is not responding. This page keeps trying to reach it." };
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
        sentence: "The browser blocked the microphone. Allow it with the icon in the address bar, then try again.",
        listenOnly: true,
      };
    case "NotFoundError":
    case "OverconstrainedError":
      return { sentence: "No microphone was found. Plug one in, or continue and only listen.", listenOnly: true };
    case "NotReadableError":
    case "AbortError":
      return {
        sentence: "The microphone is not working, or another program is using it. Fix that, or continue and only listen.",
        listenOnly: true,
      };
    case "InsecureContext":
      return {
        sentence: "Browsers allow the microphone only on https:// pages and on this computer (localhost).",
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
        sentence: "The gateway cannot be reached. Trying again. An active call may continue.",
      };
    case "refused":
      return registration.code === 401 || registration.code === 403 || registration.code === 407
        ? {
            label: "Wrong password",
            tone: "bad",
            sentence: `The gateway did not accept this password for user ${user}. Correct it under Account.`,
          }
        : registration.code === 404
          ? {
              label: "Unknown user",
              tone: "bad",
              sentence: `There is no user ${user} on this gateway. Correct it under Account.`,
            }
          : {
              label: "Not signed in",
              tone: "bad",
              sentence: `The gateway refused to sign in ${user}: ${registration.code} ${registration.reason}.`,
            };
  }
}

/** Words about devices and levels, on every page that has a phone. */
export const SOUND = {
  microphone: "Microphone",
  speaker: "Speaker",
  byBrowser: "Browser default",
  testMicrophone: "Test microphone",
  stopTest: "Stop test",
  testLevel: "Microphone test level",
  microphoneLevel: "Microphone level",
  theirLevel: "Level of the other side",
  you: "You",
  them: "Them",
  processing: "Microphone processing",
  echo: "Echo cancellation",
  noise: "Noise suppression",
  gain: "Automatic gain",
} as const;
