// Just enough SIP for a scripted phone: messages as text, and the SDP of one G.711 stream.
import { randomBytes } from "node:crypto";

export const token = (octets = 8) => randomBytes(octets).toString("hex");

/** { line, request | status, headers: [[name, value]], body } */
export function parse(text) {
  const [head, body = ""] = splitOnce(text, "\r\n\r\n");
  const [line, ...rest] = head.split("\r\n");
  const headers = [];
  for (const row of rest) {
    if (/^[ \t]/.test(row)) headers[headers.length - 1][1] += ` ${row.trim()}`;
    else headers.push(splitOnce(row, ":").map((part) => part.trim()));
  }
  const message = { line, headers, body };
  const status = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(line);
  if (status) Object.assign(message, { status: Number(status[1]), reason: status[2] });
  else [message.method, message.uri] = line.split(" ");
  return message;
}

const COMPACT = { via: "v", from: "f", to: "t", "call-id": "i", contact: "m", "content-type": "c", "content-length": "l" };

/** First value of a header, '' where there is none. */
export function header(message, name) {
  return all(message, name)[0] ?? "";
}

export function all(message, name) {
  const wanted = name.toLowerCase();
  return message.headers
    .filter(([key]) => key.toLowerCase() === wanted || key.toLowerCase() === COMPACT[wanted])
    .map(([, value]) => value);
}

export const parameter = (value, name) => new RegExp(`;\\s*${name}\\s*=\\s*([^;>\\s,]+)`, "i").exec(value)?.[1] ?? "";

/** The URI of a name-addr or addr-spec. */
export const uriOf = (value) => /<([^>]*)>/.exec(value)?.[1] ?? value.split(";")[0].trim();

export const cseq = (message) => {
  const [number, method] = header(message, "CSeq").split(/\s+/);
  return { number: Number(number), method };
};

export function write(line, headers, body = "") {
  const rows = headers.filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`);
  return [line, ...rows, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join("\r\n");
}

/** SDP of one audio stream, PCMU and telephone-event only. */
export function describe({ port, direction = "sendrecv", session, version = 1, events = true }) {
  return [
    "v=0",
    `o=phone ${session} ${version} IN IP4 127.0.0.1`,
    "s=-",
    "c=IN IP4 127.0.0.1",
    "t=0 0",
    `m=audio ${port} RTP/AVP 0${events ? " 101" : ""}`,
    "a=rtpmap:0 PCMU/8000",
    ...(events ? ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"] : []),
    "a=ptime:20",
    `a=${direction}`,
    "",
  ].join("\r\n");
}

/** Where the other side wants its audio, and how. */
export function readDescription(body) {
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(body)?.[1] ?? "sendrecv";
  const media = /^m=audio (\d+) (\S+) (.+?)\r?$/m.exec(body);
  const codecs = [...body.matchAll(/^a=rtpmap:(\d+) ([^\s/]+)\//gm)].map(([, type, name]) => ({ type: Number(type), name }));
  return {
    address: /^c=IN IP[46] (\S+?)\r?$/m.exec(body)?.[1],
    port: Number(media?.[1] ?? 0),
    protocol: media?.[2],
    types: media?.[3].split(" ").map(Number) ?? [],
    eventType: codecs.find(({ name }) => name.toLowerCase() === "telephone-event")?.type,
    codecs,
    direction,
  };
}

/** What an answer says to an offer of this direction. */
export const mirrored = (direction) =>
  ({ sendonly: "recvonly", recvonly: "sendonly", inactive: "inactive" })[direction] ?? "sendrecv";

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
