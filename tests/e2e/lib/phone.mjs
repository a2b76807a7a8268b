// A scripted SIP phone on UDP that speaks PCMU and nothing else: registers, is called, calls, and tells what it heard.
import dgram from "node:dgram";
import { answer as answerChallenge } from "./digest.mjs";
import { RtpEnd } from "./media.mjs";
import { all, cseq, describe, header, mirrored, parameter, parse, readDescription, token, uriOf, write } from "./sip.mjs";
import { Cleanup, until } from "./wait.mjs";

const REASONS = {
  100: "Trying",
  180: "Ringing",
  183: "Session Progress",
  200: "OK",
  404: "Not Found",
  480: "Temporarily Unavailable",
  481: "Call/Transaction Does Not Exist",
  486: "Busy Here",
  487: "Request Terminated",
  603: "Decline",
};
const T1 = 500;

export class Phone {
  #socket = dgram.createSocket("udp4");
  /** Requests of ours that wait: branch -> { resolve, provisional, timer }. */
  #waiting = new Map();
  /** Last response to each request of theirs, to be sent again. */
  #answered = new Map();
  calls = [];
  /** What it says in a call. */
  tone = { frequency: 440, amplitude: 0.25 };
  /** 'answer' | 'ring' | a status code to refuse with. */
  behaviour = "answer";

  static async start({ user = "phone", server }) {
    const phone = new Phone();
    phone.user = user;
    phone.server = { address: "127.0.0.1", port: server };
    phone.#socket.on("message", (data, from) => phone.#receive(String(data), from));
    await new Promise((resolve, reject) => {
      phone.#socket.once("error", reject);
      phone.#socket.bind(0, "127.0.0.1", resolve);
    });
    phone.port = phone.#socket.address().port;
    return phone;
  }

  get contact() {
    return `<sip:${this.user}@127.0.0.1:${this.port}>`;
  }

  close() {
    for (const call of this.calls) call.close();
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    for (const call of this.calls) clearTimeout(call.resend);
    this.closed = true;
    this.#socket.close();
  }

  /** Resolves with the status of the last response. */
  async register({ password = "cordboard", expires = 300 } = {}) {
    const uri = `sip:127.0.0.1:${this.server.port}`;
    const dialog = { callId: token(), from: `<sip:${this.user}@127.0.0.1>;tag=${token(4)}`, to: `<sip:${this.user}@127.0.0.1>` };
    const extra = [
      ["Contact", this.contact],
      ["Expires", expires],
    ];
    const { status } = await this.#withDigest("REGISTER", uri, dialog, extra, "", password);
    return status;
  }

  /** Calls a number; `password` where it is asked for. */
  async call(number, { password = "cordboard", events = true } = {}) {
    const call = await Call.make(this, "out", events);
    const uri = `sip:${number}@127.0.0.1:${this.server.port}`;
    Object.assign(call, {
      callId: token(),
      local: `<sip:${this.user}@127.0.0.1>;tag=${token(4)}`,
      remote: `<sip:${number}@127.0.0.1>`,
      target: uri,
      cseq: 0,
    });
    this.calls.push(call);
    call.outcome = this.#withDigest("INVITE", uri, call, [["Contact", this.contact]], call.describe(), password, call);
    call.outcome.then(
      (final) => call.finalResponse(final),
      (error) => call.end("network", { reason: error.message }),
    );
    return call;
  }

  /** The `n`th call that came in. */
  incoming(n = 0, timeout = 10_000) {
    return until("a call at the phone", () => this.calls.filter(({ direction }) => direction === "in")[n], timeout);
  }

  async #withDigest(method, uri, dialog, extra, body, password, call) {
    let response = await this.request(method, uri, dialog, extra, body, call);
    if (response.status === 401 || response.status === 407) {
      const proxy = response.status === 407;
      const challenge = header(response, proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
      const credentials = answerChallenge(challenge, { method, uri, username: this.user, password });
      const again = [...extra, [proxy ? "Proxy-Authorization" : "Authorization", credentials]];
      response = await this.request(method, uri, dialog, again, body, call);
    }
    return response;
  }

  /** Sends a request until it is answered, and resolves with the final response. */
  request(method, uri, dialog, extra = [], body = "", call = undefined) {
    const branch = `z9hG4bK${token()}`;
    const number = (dialog.cseq ?? 0) + 1;
    dialog.cseq = number;
    const text = write(
      `${method} ${uri} SIP/2.0`,
      [
        ["Via", `SIP/2.0/UDP 127.0.0.1:${this.port};branch=${branch};rport`],
        ["Max-Forwards", 70],
        ["From", dialog.from ?? dialog.local],
        ["To", dialog.to ?? dialog.remote],
        ["Call-ID", dialog.callId],
        ["CSeq", `${number} ${method}`],
        ["Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE"],
        ...extra,
        ["Content-Type", body ? "application/sdp" : undefined],
      ],
      body,
    );
    return new Promise((resolve, reject) => {
      const entry = { resolve, method, uri, dialog, number, branch, call };
      let wait = T1;
      let spent = 0;
      const again = () => {
        if (this.closed) return;
        if (spent >= 64 * T1) {
          this.#waiting.delete(branch);
          reject(new Error(`no response to ${method}`));
          return;
        }
        this.send(text);
        entry.timer = setTimeout(again, wait);
        spent += wait;
        wait = method === "INVITE" ? wait * 2 : Math.min(wait * 2, 4000);
      };
      if (call && method === "INVITE") call.invite = entry;
      this.#waiting.set(branch, entry);
      again();
    });
  }

  send(text, to = this.server) {
    if (!this.closed) this.#socket.send(text, to.port, to.address);
  }

  ack(uri, dialog, number, branch = `z9hG4bK${token()}`, to = dialog.remote) {
    this.send(
      write(`ACK ${uri} SIP/2.0`, [
        ["Via", `SIP/2.0/UDP 127.0.0.1:${this.port};branch=${branch};rport`],
        ["Max-Forwards", 70],
        ["From", dialog.local],
        ["To", to],
        ["Call-ID", dialog.callId],
        ["CSeq", `${number} ACK`],
      ]),
    );
  }

  /** CANCEL of a request that waits: same branch, same CSeq number. */
  async cancel(entry) {
    const { branch, uri, dialog, number } = entry;
    const text = write(`CANCEL ${uri} SIP/2.0`, [
      ["Via", `SIP/2.0/UDP 127.0.0.1:${this.port};branch=${branch};rport`],
      ["Max-Forwards", 70],
      ["From", dialog.local],
      ["To", dialog.remote],
      ["Call-ID", dialog.callId],
      ["CSeq", `${number} CANCEL`],
    ]);
    this.send(text);
  }

  respond(request, status, { extra = [], body = "", tag } = {}) {
    const to = header(request, "To");
    const text = write(
      `SIP/2.0 ${status} ${REASONS[status] ?? "Whatever"}`,
      [
        ...all(request, "Via").map((via) => ["Via", via]),
        ["From", header(request, "From")],
        ["To", tag && !parameter(to, "tag") ? `${to};tag=${tag}` : to],
        ["Call-ID", header(request, "Call-ID")],
        ["CSeq", header(request, "CSeq")],
        ...extra,
        ["Content-Type", body ? "application/sdp" : undefined],
      ],
      body,
    );
    this.#answered.set(keyOf(request), text);
    this.send(text, request.from);
    return text;
  }

  #receive(text, from) {
    if (text.trim() === "") return;
    const message = parse(text);
    message.from = { address: from.address, port: from.port };
    if (message.status) this.#response(message);
    else this.#request(message);
  }

  #response(message) {
    const branch = parameter(header(message, "Via"), "branch");
    const entry = this.#waiting.get(branch);
    const { method } = cseq(message);
    if (!entry || entry.method !== method) return;
    if (message.status < 200) {
      clearTimeout(entry.timer);
      entry.call?.provisional(message);
      return;
    }
    clearTimeout(entry.timer);
    if (method === "INVITE") {
      // Acknowledged each time it comes. A 2xx is by the caller of call(), who knows the route.
      if (message.status >= 300) this.ack(entry.uri, entry.dialog, entry.number, branch, header(message, "To"));
      else entry.call?.acknowledge(message, entry.number);
    } else {
      this.#waiting.delete(branch);
    }
    entry.resolve(message);
  }

  #request(message) {
    const seen = this.#answered.get(keyOf(message));
    if (seen && message.method !== "ACK") return this.send(seen, message.from);
    const call = this.calls.find(({ callId }) => callId === header(message, "Call-ID"));
    switch (message.method) {
      case "OPTIONS":
        return this.respond(message, 200);
      case "ACK":
        return call?.acknowledged(message);
      case "INVITE":
        return call ? call.reInvite(message) : this.#invited(message);
      case "CANCEL":
        this.respond(message, call ? 200 : 481);
        return call?.cancelled(message);
      case "BYE":
        this.respond(message, call ? 200 : 481);
        return call?.end("them", { reason: header(message, "Reason") });
      case "INFO":
        call?.info(message);
        return this.respond(message, 200);
      default:
        return this.respond(message, call ? 200 : 481);
    }
  }

  async #invited(message) {
    this.respond(message, 100);
    const call = await Call.make(this, "in", true);
    Object.assign(call, {
      request: message,
      callId: header(message, "Call-ID"),
      tag: token(4),
      remote: header(message, "From"),
      target: uriOf(header(message, "Contact")),
      to: undefined,
      cseq: 0,
    });
    call.local = `${header(message, "To")};tag=${call.tag}`;
    call.offered(message.body);
    this.calls.push(call);
    if (typeof this.behaviour === "number") call.refuse(this.behaviour);
    else {
      call.ring();
      if (this.behaviour === "answer") call.answer();
    }
  }
}

const keyOf = (message) =>
  `${parameter(header(message, "Via"), "branch")} ${message.method} ${cseq(message).number} ${header(message, "Call-ID")}`;

class Call {
  /** 'new' | 'ringing' | 'up' | 'over' */
  state = "new";
  code = 0;
  by = "";
  /** Direction that the other side last asked for, from its own point of view. */
  remoteDirection = "sendrecv";
  digitsByInfo = "";
  cleanup = new Cleanup();
  /** performance.now() at each step. */
  times = {};
  version = 1;

  static async make(phone, direction, events) {
    const call = new Call();
    call.phone = phone;
    call.direction = direction;
    call.events = events;
    call.session = Number.parseInt(token(4), 16);
    call.rtp = await RtpEnd.open(call.cleanup);
    return call;
  }

  describe(direction = "sendrecv") {
    return describe({
      port: this.rtp.port,
      direction,
      session: this.session,
      version: this.version++,
      events: this.events,
    });
  }

  offered(body) {
    if (!body) return;
    const sdp = readDescription(body);
    this.lastDescription = sdp;
    this.remoteDirection = sdp.direction;
    this.rtp.remote = { ip: sdp.address, port: sdp.port };
    this.eventType = sdp.eventType;
    this.speak(sdp.direction === "sendrecv" || sdp.direction === "recvonly");
  }

  speak(may) {
    if (!may) this.rtp.quiet();
    else if (this.state === "up") this.rtp.play(this.phone.tone.frequency, { amplitude: this.phone.tone.amplitude });
  }

  /** Keys as RFC 4733 events, each once. */
  get digits() {
    return this.rtp.keys(this.eventType);
  }

  /** Presses keys, one after the other. */
  async dial(digits) {
    for (const digit of digits) await this.rtp.key(digit, { type: this.eventType });
  }

  /** Forgets what was heard. */
  forget() {
    this.rtp.packets.length = 0;
  }

  close() {
    this.cleanup.run().catch(() => undefined);
  }

  ring() {
    this.state = "ringing";
    this.times.ringing = performance.now();
    this.phone.respond(this.request, 180, { tag: this.tag, extra: [["Contact", this.phone.contact]] });
  }

  answer() {
    const text = this.phone.respond(this.request, 200, {
      tag: this.tag,
      extra: [["Contact", this.phone.contact]],
      body: this.describe(mirrored(this.remoteDirection)),
    });
    let wait = T1;
    const again = () => {
      this.phone.send(text, this.request.from);
      wait = Math.min(2 * wait, 4000);
      this.resend = setTimeout(again, wait);
    };
    this.resend = setTimeout(again, wait);
    this.up();
  }

  refuse(code) {
    this.phone.respond(this.request, code, { tag: this.tag });
    this.end("us", { code });
  }

  up() {
    if (this.state === "over") return;
    this.state = "up";
    this.times.up ??= performance.now();
    this.speak(["sendrecv", "recvonly"].includes(this.remoteDirection));
  }

  async hangUp() {
    if (this.state === "over") return undefined;
    if (this.direction === "out" && this.state !== "up") {
      await until("a provisional response", () => this.code >= 100 || this.state === "over");
      return this.phone.cancel(this.invite);
    }
    this.end("us", {});
    return this.phone.request("BYE", this.target, this.dialog());
  }

  /** Asks for another direction; resolves with the final response. */
  async reInviteWith(direction) {
    const response = await this.phone.request(
      "INVITE",
      this.target,
      this.dialog(),
      [["Contact", this.phone.contact]],
      this.describe(direction),
      this,
    );
    if (response.status === 200) {
      this.offered(response.body);
      this.speak(direction === "sendrecv" || direction === "sendonly");
    }
    return response;
  }

  info(message) {
    this.digitsByInfo += /Signal=\s*([0-9A-D*#])/i.exec(message.body)?.[1] ?? "";
  }

  dialog() {
    return this;
  }

  provisional(message) {
    this.code = message.status;
    if (message.status >= 180 && this.state === "new") {
      this.state = "ringing";
      this.times.ringing = performance.now();
    }
  }

  acknowledge(message, number) {
    this.remote = header(message, "To");
    this.target = uriOf(header(message, "Contact")) || this.target;
    this.phone.ack(this.target, this, number);
  }

  finalResponse(message) {
    this.code = message.status;
    if (message.status >= 300) {
      this.end("them", { code: message.status });
      return;
    }
    this.offered(message.body);
    this.up();
  }

  acknowledged() {
    clearTimeout(this.resend);
    this.times.ack ??= performance.now();
  }

  reInvite(message) {
    this.offered(message.body);
    this.phone.respond(message, 200, {
      tag: this.tag,
      extra: [["Contact", this.phone.contact]],
      body: this.describe(mirrored(this.remoteDirection)),
    });
  }

  cancelled(message) {
    if (this.state === "up" || this.state === "over") return;
    this.phone.respond(this.request, 487, { tag: this.tag });
    this.end("them", { code: 487, reason: header(message, "Reason") });
  }

  end(by, { code = 0, reason = "" }) {
    if (this.state === "over") return;
    clearTimeout(this.resend);
    Object.assign(this, { state: "over", by, reason, code: code || this.code });
    this.times.over = performance.now();
    this.close();
  }

  /** Waits for the state. */
  reaches(state, timeout = 10_000) {
    return until(
      `the phone's call is ${state}`,
      () => {
        if (this.state === "over" && state !== "over") throw new Error(`it is over: ${this.by} ${this.code}`);
        return this.state === state;
      },
      timeout,
    ).then(() => this);
  }

  /** Waits until the tone is there, then for this much more of it, and returns what that was like. */
  async hears(frequency, { seconds = 2, timeout = 12_000 } = {}) {
    // Buffers find their depth in the first moments of a call.
    await this.rtp.hears(frequency, 0.5, timeout, this.rtp.packets.length);
    const from = this.rtp.packets.length;
    await this.rtp.hears(frequency, seconds, timeout, from);
    return this.rtp.measure(frequency, from);
  }
}
