// The gateway's own program: as the gateway, and as a phone on the command line.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toneSeconds } from "./heard.mjs";
import { ofSound } from "./lateness.mjs";
import { folder, freePort, Program } from "./process.mjs";
import { readWav } from "./tone.mjs";
import { until } from "./wait.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const candidates = [process.env.CORDBOARD_BIN, join(target, "release/cordboard"), join(target, "debug/cordboard")];
export const BINARY = candidates.find((path) => path && existsSync(path)) ?? "cordboard";

/** Runs the program to its end: { code, out, err }. */
export function run(args, options) {
  return new Program(BINARY, args, options).end(10_000);
}

export class Gateway {
  /**
   * Starts the gateway on free ports of loopback.
   * @param {string} config what the file says besides the ports: top-level keys first, then tables other than http and media
   * @param {{ sip?: string, http?: string, env?: object, everywhere?: boolean, ports?: number }} more `sip` is put into [sip], `http` into [http]; `everywhere`: browser
   *   media on every local address, as the default is, instead of 127.0.0.1 alone; `ports`: number of ports for phones
   */
  static async start(cleanup, config = "", { sip = "", http = "", env, everywhere = false, ports = 200 } = {}) {
    const path = folder(cleanup);
    const [httpPort, sipPort, browserPort] = [await freePort(), await freePort(), await freePort()];
    const low = 22_000 + 200 * Math.floor(Math.random() * 40);
    const file = join(path, "cordboard.toml");
    const at = config.search(/^\[/m);
    const [top, tables] = at < 0 ? [config, ""] : [config.slice(0, at), config.slice(at)];
    const text = `${top}
[http]
listen = "127.0.0.1:${httpPort}"
${http}
[sip]
udp = "127.0.0.1:${sipPort}"
tcp = "127.0.0.1:${sipPort}"
${sip}
[media]
browser_port = ${browserPort}
${everywhere ? "" : 'browser_addresses = "127.0.0.1"'}
phone_ports = "${low}-${low + ports - 1}"
${tables}`;
    writeFileSync(file, text);
    const begin = () => new Program(BINARY, ["--config", file], { env: { CORDBOARD_STATE: join(path, "state"), ...env } });
    const gateway = new Gateway(begin, sipPort);
    cleanup.add(() => gateway.program.stop());
    await gateway.ready();
    return gateway;
  }

  constructor(begin, port) {
    this.begin = begin;
    this.program = begin();
    this.port = port;
    this.sip = `127.0.0.1:${port}`;
  }

  /** Waits until it serves. */
  async ready() {
    const [, found] = await this.program.says(/is ready: (\S+)/, 20_000);
    const page = new URL(found);
    this.page = page.href;
    this.httpPort = Number(page.port);
    this.ws = `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}/ws`;
  }

  /** Kills it as nothing can be caught, and starts it again with what it left. */
  async killed() {
    await this.program.stop("SIGKILL");
    this.program = this.begin();
    await this.ready();
  }

  /** Kilobytes of memory, open descriptors, threads. */
  resources() {
    const process = `/proc/${this.program.child.pid}`;
    const status = readFileSync(`${process}/status`, "latin1");
    const number = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)[1]);
    return {
      memory: number("VmRSS"),
      descriptors: readdirSync(`${process}/fd`).length,
      threads: number("Threads"),
    };
  }

  /** Lines of the log that say how calls ended. */
  endings() {
    return this.program.err.split("\n").filter((line) => line.includes("call ended"));
  }
}

/** `cordboard phone`. */
export class CordboardPhone {
  /**
   * @param {string | undefined} target whom it calls; without one it waits for a call
   * @param {Gateway} gateway its registrar
   * @param {{ ring?: number, webrtc?: boolean }} options `ring`: seconds until it answers; `webrtc`: over the gateway's WebSocket, by
   *   the stack that we did not write
   */
  static start(cleanup, gateway, target, { user, password = "secret", tone, ring = 0, webrtc = false, args = [], env } = {}) {
    const recording = join(folder(cleanup), "heard.wav");
    const all = [
      "phone",
      ...(webrtc ? ["--webrtc", gateway.ws] : ["--registrar", gateway.sip, "--rtp-ports", "21000-21999"]),
      "--user",
      user,
      "--password",
      password,
      "--ring",
      String(ring),
      "--duration",
      "60",
    ];
    if (tone) all.push("--tone", String(tone));
    all.push("--record", recording);
    if (target) all.push(target);
    else all.push("--wait", "20");
    const program = new Program(BINARY, [...all, ...args], { env });
    cleanup.add(() => program.stop("SIGINT"));
    return new CordboardPhone(program, recording);
  }

  constructor(program, recording) {
    this.program = program;
    this.recording = recording;
  }

  says(pattern, timeout) {
    return this.program.says(pattern, timeout);
  }

  /** Waits until it is registered and ready for a call. */
  async waits() {
    await this.says(/^registered/m);
    await this.says(/^waiting for a call/m);
    return this;
  }

  end(timeout) {
    return this.program.end(timeout);
  }

  /** Ctrl-C: it hangs up and says how the call was. */
  hangUp() {
    this.program.signal("SIGINT");
    return this.end();
  }

  /** What it has heard so far. */
  heard() {
    return readWav(this.recording);
  }

  /** Waits until `seconds` of this tone were heard. */
  hears(frequency, seconds = 1, timeout = 12_000) {
    return until(
      `the phone hears ${seconds} s of ${frequency} Hz`,
      () => {
        const { samples, rate } = this.heard();
        return toneSeconds(samples, rate, frequency) >= seconds;
      },
      timeout,
      100,
    ).catch((error) => {
      throw ofSound(new Error(`${error.message}\n${this.program.output()}`));
    });
  }
}
