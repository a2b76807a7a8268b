// A plain RTP end point: plays a tone in G.711, keeps what comes, by RTP time.
import dgram from "node:dgram";
import { fromMulaw, toMulaw } from "./g711.mjs";
import { toneIn, toneSeconds } from "./heard.mjs";
import { ofSound } from "./lateness.mjs";
import { freePort } from "./process.mjs";
import { until } from "./wait.mjs";

const EVENT = 101;
const KEYS = "0123456789*#ABCD";

export class RtpEnd {
  static async open(cleanup, ip = "127.0.0.1") {
    const port = await freePort(ip);
    const socket = dgram.createSocket("udp4");
    await new Promise((resolve, reject) => socket.once("error", reject).bind(port, ip, resolve));
    const end = new RtpEnd(socket, ip, port);
    cleanup.add(() => end.close());
    return end;
  }

  constructor(socket, ip, port) {
    this.socket = socket;
    this.ip = ip;
    this.port = port;
    /** { at, sequence, time, type, payload, marker, from } */
    this.packets = [];
    this.ssrc = Math.floor(Math.random() * 0xffffffff);
    this.sequence = Math.floor(Math.random() * 0xffff);
    this.time = Math.floor(Math.random() * 0xffffffff);
    socket.on("message", (data, from) => {
      // RTCP has a port of its own here.
      if (data.length < 12 || data[0] >> 6 !== 2) return;
      const header = 12 + 4 * (data[0] & 0x0f);
      this.packets.push({
        at: Date.now(),
        sequence: data.readUInt16BE(2),
        time: data.readUInt32BE(4),
        ssrc: data.readUInt32BE(8),
        type: data[1] & 0x7f,
        marker: data[1] >> 7 === 1,
        payload: data.subarray(header),
        from,
      });
      this.remote ??= { ip: from.address, port: from.port };
    });
  }

  /** For a description. */
  get address() {
    return { ip: this.ip, port: this.port };
  }

  close() {
    clearInterval(this.timer);
    return new Promise((resolve) => this.socket.close(resolve));
  }

  /** Plays a sine wave of this peak to `remote`, or to where packets come from once they do. */
  play(frequency, { remote, amplitude = 0.25 } = {}) {
    if (remote) this.remote = remote;
    this.tone = { frequency, amplitude };
    if (this.timer) return;
    const begun = Date.now();
    let sent = 0;
    let phase = 0;
    this.timer = setInterval(() => {
      // A late timer sends what it owes, so that the rate is right.
      for (const due = (Date.now() - begun) / 20; sent < due; sent++) {
        const payload = Buffer.alloc(160);
        for (let n = 0; n < 160; n++) {
          payload[n] = toMulaw(this.tone.amplitude * Math.sin(phase));
          phase += (2 * Math.PI * this.tone.frequency) / 8000;
        }
        if (!this.keying) this.#send(0, payload, this.time, sent === 0);
        this.time = (this.time + 160) >>> 0;
      }
    }, 10);
  }

  /** From now on every `n`th packet of sound is lost on its way; 0: none. */
  lose(n) {
    this.losing = n;
  }

  quiet() {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** One key by RFC 4733: 100 ms of packets, the end three times; speech pauses meanwhile. */
  async key(digit, { type = EVENT } = {}) {
    this.keying = true;
    const begun = this.time;
    const event = KEYS.indexOf(digit);
    for (let n = 1; n <= 8; n++) {
      const ended = n > 5;
      const duration = 160 * Math.min(n, 6);
      const payload = Buffer.from([event, (ended ? 0x80 : 0) | 10, duration >> 8, duration & 0xff]);
      this.#send(type, payload, begun, n === 1);
      if (n < 6) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.keying = false;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }

  #send(type, payload, time, marker) {
    if (!this.remote) return;
    const packet = Buffer.alloc(12 + payload.length);
    packet[0] = 0x80;
    packet[1] = (marker ? 0x80 : 0) | type;
    packet.writeUInt16BE(this.sequence, 2);
    packet.writeUInt32BE(time, 4);
    packet.writeUInt32BE(this.ssrc, 8);
    payload.copy(packet, 12);
    this.sequence = (this.sequence + 1) & 0xffff;
    if (this.losing && this.sequence % this.losing === 0) return;
    this.socket.send(packet, this.remote.port, this.remote.ip);
  }

  /** Sound since `from` (an index into packets), laid out by RTP time; what never came is silence. */
  samples(from = 0) {
    const sound = this.packets.slice(from).filter(({ type }) => type === 0);
    const first = sound[0];
    if (!first) return { samples: new Float32Array(0), rate: 8000 };
    const offset = (packet) => (packet.time - first.time) | 0;
    const whole = sound.filter((packet) => packet.ssrc === first.ssrc && offset(packet) >= 0);
    const length = whole.reduce((most, packet) => Math.max(most, offset(packet) + packet.payload.length), 0);
    const samples = new Float32Array(Math.min(length, 8000 * 120));
    for (const packet of whole) {
      for (const [n, octet] of packet.payload.entries()) samples[offset(packet) + n] = fromMulaw(octet);
    }
    return { samples, rate: 8000 };
  }

  /** The longest time between two packets since `from`, in ms. */
  longestPause(from = 0) {
    const times = this.packets.slice(from).map(({ at }) => at);
    return times.reduce((longest, at, n) => Math.max(longest, n ? at - times[n - 1] : 0), 0);
  }

  /** Waits until `seconds` of this tone came. */
  hears(frequency, seconds = 1, timeout = 12_000, from = 0) {
    return until(
      `RTP brings ${seconds} s of ${frequency} Hz`,
      () => {
        const { samples, rate } = this.samples(from);
        return toneSeconds(samples, rate, frequency) >= seconds;
      },
      timeout,
      100,
    ).catch((error) => {
      throw ofSound(new Error(`${error.message}; ${this.packets.length} packets came`));
    });
  }

  measure(frequency, from = 0) {
    const { samples, rate } = this.samples(from);
    return toneIn(samples, rate, frequency);
  }

  /** Keys by RFC 4733, each once. */
  keys(type = EVENT) {
    const begun = new Map();
    for (const packet of this.packets) {
      if (packet.type === type) begun.set(packet.time, KEYS[packet.payload[0]]);
    }
    return [...begun.values()].join("");
  }
}
