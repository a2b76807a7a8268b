// Account and gateway address: from the address bar first, then from what was saved, then the demo defaults.
import type { Credentials } from "./phone/phone";

export type Library = "jssip" | "sipjs";

export interface Place {
  protocol: string;
  host: string;
  hostname: string;
  search: string;
}

export interface Settings {
  user: string;
  password: string;
  displayName: string;
  /** Empty: the host that served the page. */
  domain: string;
  library: Library;
}

/** Text of the form, without blanks around it, except for the password, which is taken as it is. */
export function trimmed(settings: Settings): Settings {
  return {
    ...settings,
    user: settings.user.trim(),
    displayName: settings.displayName.trim().replace(/\s+/g, " "),
    domain: settings.domain.trim(),
  };
}

export const DEMO_USER = "1001";
export const DEMO_PASSWORD = "cordboard";

export function settingsFrom(place: Place, saved: Partial<Settings> | undefined): Settings {
  const query = new URLSearchParams(place.search);
  const settings: Settings = {
    user: saved?.user || DEMO_USER,
    password: saved?.password ?? DEMO_PASSWORD,
    displayName: saved?.displayName ?? "",
    domain: saved?.domain ?? "",
    library: saved?.library === "sipjs" ? "sipjs" : "jssip",
  };
  const user = query.get("user");
  if (user && user !== settings.user) {
    settings.user = user;
    settings.password = DEMO_PASSWORD;
    settings.displayName = "";
  }
  const password = query.get("password");
  if (password !== null) settings.password = password;
  const library = query.get("lib");
  if (library === "jssip" || library === "sipjs") settings.library = library;
  return settings;
}

/** `ws://host/ws`, or `wss://` where the page came over https. `?ws=` names another gateway. */
export function serverFor(place: Place): string {
  const chosen = new URLSearchParams(place.search).get("ws");
  if (chosen && /^wss?:\/\//.test(chosen)) return chosen;
  return `${place.protocol === "https:" ? "wss" : "ws"}://${place.host}/ws`;
}

export function credentialsFor(settings: Settings, place: Place): Credentials {
  return {
    user: settings.user,
    password: settings.password,
    // SIP.js writes it between quotes as it is.
    displayName: settings.displayName.replace(/["\\]/g, ""),
    domain: settings.domain || place.hostname || "localhost",
    server: serverFor(place),
  };
}

/**
 * The SIP address of what a person typed: "9196", "+49 (30) 12-34", "anna", "sip:bob@example.org", "tel:+4930".
 * Undefined where it is nothing that can be called.
 */
export function targetFor(typed: string, domain: string): string | undefined {
  let text = typed.trim().replace(/^(sips?|tel):/i, "");
  if (text.includes("@")) return /^[^\s@<>"]+@[^\s@<>"]+$/.test(text) ? `sip:${text}` : undefined;
  // Separators that people write inside numbers; a name keeps its dots and dashes.
  if (/^[\d\s+*#().\-/]+$/.test(text)) text = text.replace(/[\s().\-/]/g, "");
  if (!/^[\w.+*#!~'&=$,-]+$/.test(text)) return undefined;
  return `sip:${text.replace(/#/g, "%23")}@${domain}`;
}

/** Text to show for another party's address. */
export function peerName(user: string | undefined, host: string | undefined, ownDomain: string): string {
  if (!user) return host || "unknown";
  const readable = user.replace(/%23/g, "#");
  return !host || host === ownDomain || host.endsWith(".invalid") || isAddress(host) ? readable : `${readable}@${host}`;
}

function isAddress(host: string): boolean {
  return host === "localhost" || /^[\d.]+$/.test(host) || host.includes(":");
}
