// Whatever tells a presence server states: PUBLISH (RFC 3903) over UDP.
import dgram from "node:dgram";
import { header, parse, token, write } from "./sip.mjs";
import { within } from "./wait.mjs";

export class Publisher {
  #socket = dgram.createSocket("udp4");
  #tags = new Map();
  #waiting = new Map();
  #sequence = 0;

  /** Binds a socket at `ip` for the server at `address`. */
  static async start(cleanup, ip, address) {
    const publisher = new Publisher();
    const [host, port] = address.split(":");
    publisher.server = { host, port: Number(port) };
    publisher.ip = ip;
    publisher.#socket.on("message", (data) => {
      const message = parse(String(data));
      if (message.status >= 200) publisher.#waiting.get(header(message, "Call-ID"))?.(message);
    });
    await new Promise((resolve, reject) => publisher.#socket.once("error", reject).bind(0, ip, resolve));
    cleanup.add(() => publisher.#socket.close());
    return publisher;
  }

  /** Tells that the state of `uri` is this from now on. */
  async tell(uri, event, type, body) {
    const { port } = this.#socket.address();
    const key = `${uri} ${event}`;
    const callId = token();
    const text = write(
      `PUBLISH ${uri} SIP/2.0`,
      [
        ["Via", `SIP/2.0/UDP ${this.ip}:${port};branch=z9hG4bK${token()};rport`],
        ["Max-Forwards", 70],
        ["From", `<${uri}>;tag=${token(4)}`],
        ["To", `<${uri}>`],
        ["Call-ID", callId],
        ["CSeq", `${++this.#sequence} PUBLISH`],
        ["Event", event],
        ["Expires", 300],
        ["SIP-If-Match", this.#tags.get(key)],
        ["Content-Type", type],
      ],
      body,
    );
    const answered = new Promise((resolve) => this.#waiting.set(callId, resolve));
    this.#socket.send(text, this.server.port, this.server.host);
    const answer = await within(`an answer to PUBLISH ${event}`, answered);
    if (answer.status === 412) {
      // The state before was told too long ago, and is forgotten.
      this.#tags.delete(key);
      return this.tell(uri, event, type, body);
    }
    if (answer.status !== 200) throw new Error(`PUBLISH ${event}: ${answer.line}`);
    this.#tags.set(key, header(answer, "SIP-ETag"));
    return undefined;
  }
}
