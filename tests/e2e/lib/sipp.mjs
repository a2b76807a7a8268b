// sipp as the other side of a trunk. A scenario is a list of steps, written where the test is; what sipp reads is made here.
// A message that is not the next one fails the scenario, so a test that ends well proves the ladder.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, isBound, Program } from "./process.mjs";
import { until } from "./wait.mjs";

/** A description of G.711 mu-law with telephone events at an address. */
export function sdp({ ip, port, direction = "sendrecv", version = 1, formats = "0 101" }) {
  return `v=0
o=trunk 1 ${version} IN IP4 ${ip}
s=-
c=IN IP4 ${ip}
t=0 0
m=audio ${port} RTP/AVP ${formats}
${/\b0\b/.test(formats) ? "a=rtpmap:0 PCMU/8000\n" : ""}${/\b8\b/.test(formats) ? "a=rtpmap:8 PCMA/8000\n" : ""}${formats.includes("101") ? "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n" : ""}a=${direction}
`;
}

const body = (text, type = "application/sdp") =>
  text ? `Content-Type: ${type}\nContent-Length: [len]\n\n${text}` : "Content-Length: 0\n\n";
const send = (text, attributes = "") => `<send${attributes}><![CDATA[\n${text}]]></send>`;
const again = ' retrans="500"';
const extra = (headers = []) => headers.map((line) => `${line}\n`).join("");

/** The reply to the message that came last. */
const reply = (code, { text = "", headers } = {}) =>
  send(`SIP/2.0 ${code} ${REASONS[code] ?? "Well"}
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>
${extra(headers)}${body(text)}`);

/** The reply to the INVITE, which may have come long ago. */
const answerOf = (code, { text = "", headers } = {}, attributes = "") =>
  send(
    `SIP/2.0 ${code} ${REASONS[code] ?? "Well"}
Via:[$via]
From:[$from]
To:[$to];tag=[pid]t[call_number]
[last_Call-ID:]
CSeq:[$cseq]
Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, INFO
${extra(headers)}${body(text)}`,
    attributes,
  );

const REASONS = {
  100: "Trying",
  180: "Ringing",
  183: "Session Progress",
  200: "OK",
  407: "Proxy Authentication Required",
  486: "Busy Here",
  487: "Request Terminated",
  503: "Service Unavailable",
};

const keep = (header, name) => `<ereg regexp=".*" search_in="hdr" header="${header}:" assign_to="${name}"/>`;
const recv = (what, { optional, more = "", actions = "" } = {}) =>
  `<recv ${what}${optional ? ' optional="true"' : ""}${more}>${actions ? `<action>${actions}</action>` : ""}</recv>`;

/** Steps of both sides. */
export const step = {
  pause: (ms) => `<pause milliseconds="${ms}"/>`,
  /** A request of the peer's in the dialog, answered. */
  expect: (method, { code = 200, text, headers } = {}) => recv(`request="${method}"`) + reply(code, { text, headers }),
  bye: () => ({ request: "BYE" }),
  /** re-INVITE with this description, or without one. */
  reinvite: (text, { answerInAck } = {}) => ({ request: "INVITE", text, answerInAck }),
  update: (text = "", headers = []) => ({ request: "UPDATE", text, headers }),
  info: (text) => ({ request: "INFO", text, type: "application/dtmf-relay" }),
  /** sipp itself plays a file of mu-law octets, for ever. */
  stream: (path) => `<nop><action><exec rtp_stream="${path},-1,0"/></action></nop>`,
};

/** Steps of a trunk that is called. */
export const called = {
  invite: ({ matches = [] } = {}) =>
    recv('request="INVITE"', {
      more: ' rrs="true"',
      actions:
        keep("Via", "via") +
        keep("From", "from") +
        keep("To", "to") +
        keep("CSeq", "cseq") +
        matches
          .map(
            ({ header, regexp }, n) =>
              `<ereg regexp="${regexp}" search_in="${header ? "hdr" : "msg"}"${header ? ` header="${header}:"` : ""} check_it="true" assign_to="match${n}"/>`,
          )
          .join(""),
    }),
  ring: (code, { text, headers } = {}) => answerOf(code, { text, headers }),
  /** 183 that wants PRACK, and the PRACK. */
  ringReliably: (code, rseq, text) =>
    answerOf(code, { text, headers: ["Require: 100rel", `RSeq: ${rseq}`] }, again) + recv('request="PRACK"') + reply(200),
  answer: (text, { headers } = {}) => answerOf(200, { text, headers }, again) + recv('request="ACK"'),
  refuse: (code, { headers } = {}) => answerOf(code, { headers }, again) + recv('request="ACK"'),
  cancelled: () => recv('request="CANCEL"') + reply(200) + answerOf(487, {}, again) + recv('request="ACK"'),
  /** 407, and the INVITE again. */
  challenge: ({ realm }) =>
    called.refuse(407, {
      headers: [`Proxy-Authenticate: Digest realm="${realm}", nonce="f00dcafe", algorithm=MD5, qop="auth"`],
    }) + called.invite(),
};

/** Steps of a trunk that calls. */
export const caller = {
  call: (text, { from = "+4917012345", headers } = {}) =>
    send(
      `INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${from}@[local_ip]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Max-Forwards: 70
Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, INFO
${extra(headers)}${body(text)}`,
      again,
    ),
  expectRinging: (code = 180) => recv('response="100"', { optional: true }) + recv(`response="${code}"`),
  expectAnswer: (answerInAck) =>
    recv('response="100"', { optional: true }) +
    recv('response="180"', { optional: true }) +
    recv('response="183"', { optional: true }) +
    recv('response="200"', { more: ' rrs="true"', actions: keep("From", "from") + keep("To", "to") }) +
    ack(1, answerInAck),
  /** A provisional response that wants PRACK, and PRACK. */
  expectReliable: (code) =>
    recv('response="100"', { optional: true }) +
    recv(`response="${code}"`, {
      more: ' rrs="true"',
      actions:
        keep("From", "from") +
        keep("To", "to") +
        '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/>',
    }) +
    send(
      `PRACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From:[$from]
To:[$to]
[last_Call-ID:]
CSeq: 2 PRACK
RAck: [$rseq] 1 INVITE
Max-Forwards: 70
Content-Length: 0

`,
      again,
    ) +
    recv('response="200"'),
  expectRefusal: (code) =>
    recv('response="100"', { optional: true }) +
    recv('response="180"', { optional: true }) +
    recv(`response="${code}"`) +
    ackRefusal(),
  cancel: () =>
    send(
      `CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
To: <sip:[service]@[remote_ip]:[remote_port]>
[last_Call-ID:]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

`,
      again,
    ) +
    recv('response="200"') +
    recv('response="487"') +
    ackRefusal(),
};

const ack = (cseq, text = "") =>
  send(`ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: ${cseq} ACK
Max-Forwards: 70
${body(text)}`);

const ackRefusal = () =>
  send(`ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

`);

/** A request of ours within the dialog and its answer. */
function inDialog(role, cseq, { request, text, type, headers, answerInAck }) {
  const [from, to] = role === "called" ? ["From:[$to];tag=[pid]t[call_number]", "To:[$from]"] : ["From:[$from]", "To:[$to]"];
  const asking = send(
    `${request} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
${from}
${to}
[last_Call-ID:]
CSeq: ${cseq} ${request}
Max-Forwards: 70
Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>
${extra(headers)}${body(text, type)}`,
    again,
  );
  if (request !== "INVITE") return asking + recv('response="200"');
  return (
    asking + recv('response="100"', { optional: true }) + recv('response="200"', { more: ' rrs="true"' }) + ack(cseq, answerInAck)
  );
}

function xml(role, steps) {
  let cseq = 1;
  const whole = steps.map((one) => (typeof one === "string" ? one : inDialog(role, ++cseq, one))).join("\n");
  const variables = [...new Set([...whole.matchAll(/assign_to="(\w+)"/g)].map(([, name]) => name))];
  const reference = variables.length ? `<Reference variables="${variables.join(",")}"/>` : "";
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${role}">\n${whole}\n${reference}</scenario>\n`;
}

export class Sipp {
  /** Waits for a call at ip:port. */
  static async called(cleanup, { ip, port, transport = "udp", steps, args = [] }) {
    const sipp = new Sipp(cleanup, xml("called", steps), ip, port, transport, args);
    await until(`sipp listens at ${ip}:${port}`, () => isBound(transport, ip, port) || sipp.died());
    return sipp;
  }

  /** Calls `number` at the gateway. */
  static call(cleanup, gateway, { ip, port, transport = "udp", number, steps, args = [] }) {
    return new Sipp(cleanup, xml("caller", steps), ip, port, transport, ["-s", number, ...args, gateway.sip]);
  }

  constructor(cleanup, scenario, ip, port, transport, args) {
    const path = folder(cleanup);
    const file = join(path, "scenario.xml");
    writeFileSync(file, scenario);
    this.messages = join(path, "messages.log");
    this.errors = join(path, "errors.log");
    const all = [
      "-sf",
      file,
      "-i",
      ip,
      "-mi",
      ip,
      "-p",
      String(port),
      "-m",
      "1",
      "-nostdin",
      "-timeout",
      "30s",
      "-timeout_error",
    ];
    all.push("-t", transport === "tcp" ? "t1" : "u1", "-recv_timeout", "15000", "-default_behaviors", "-all");
    all.push("-trace_msg", "-message_file", this.messages, "-trace_err", "-error_file", this.errors);
    this.program = new Program("sipp", [...all, ...args]);
    cleanup.add(() => this.program.stop("SIGKILL"));
  }

  died() {
    if (this.program.over) throw new Error(`sipp ended\n${this.#story()}`);
    return false;
  }

  /** All messages so far, as sipp wrote them down. */
  trace() {
    return existsSync(this.messages) ? readFileSync(this.messages, "utf8") : "";
  }

  /** Messages that came from the gateway. */
  received() {
    return this.trace()
      .split(/^-{20,}.*$/m)
      .filter((text) => /message received/.test(text))
      .map((text) => text.slice(text.indexOf("\n\n") + 2).trim());
  }

  /** Where the gateway wants audio, from the last description that it sent. */
  async media(count = 1) {
    const ports = () =>
      this.received()
        .flatMap((text) => [...text.matchAll(/^m=audio (\d+)/gm)])
        .map(([, port]) => Number(port));
    await until("the gateway tells its media", () => ports().length >= count || this.died());
    return { ip: "127.0.0.1", port: ports().at(-1) };
  }

  /** Waits until it wrote this down. */
  saw(pattern, timeout = 10_000) {
    return until(`sipp sees ${pattern}`, () => pattern.exec(this.trace()) ?? this.died(), timeout);
  }

  /** Waits for its end, which must be that of the whole scenario. */
  async succeeds(timeout = 20_000) {
    const { code } = await this.program.end(timeout).catch((error) => {
      throw new Error(`${error.message}\n${this.#story()}`);
    });
    if (code !== 0) throw new Error(`sipp ended with ${code}\n${this.#story()}`);
  }

  #story() {
    const errors = existsSync(this.errors) ? readFileSync(this.errors, "utf8") : "";
    return `${errors}\n${this.trace()}\n${this.program.err.slice(-1000)}`;
  }
}
