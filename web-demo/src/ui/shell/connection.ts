// The connection to the gateway in one word; banners say more when it is not well.
import type { StreamState } from "../../centre/stream";
import { COMMON } from "../../centre/words";
import type { Registration } from "../../phone/phone";

export interface Connection {
  word: string;
  tone: "good" | "busy" | "bad";
}

/**
 * `events` is the state of the stream, `lost` whether it broke and is not back. `phone` is the state of the page's registration,
 * undefined before there is one; null on a page that has no phone of its own.
 */
export function connectionOf(
  events: StreamState | undefined,
  lost: boolean,
  phone: Registration["state"] | undefined | null,
): Connection {
  if (events === "live") {
    if (phone === null || phone === "registered") return { word: COMMON.connected, tone: "good" };
    const trying = phone === undefined || phone === "connecting" || phone === "registering";
    return trying ? { word: COMMON.connecting, tone: "busy" } : { word: COMMON.phoneOff, tone: "bad" };
  }
  return events === "connecting" && !lost
    ? { word: COMMON.connecting, tone: "busy" }
    : { word: COMMON.reconnecting, tone: "bad" };
}
