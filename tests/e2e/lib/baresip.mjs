// baresip as a registered phone: plays a WAV file, records into one, and is told what to do over its control socket.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { toneSeconds } from "./heard.mjs";
import { ofSound } from "./lateness.mjs";
import { folder, freePort, isBound, Program } from "./process.mjs";
import { readWav, sine, writeWav } from "./tone.mjs";
import { until } from "./wait.mjs";

/** Where Debian and others put the modules. */
function modules() {
  const roots = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
  const nested = existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}/baresip/modules`) : [];
  const found = [...roots, ...nested].find((path) => existsSync(join(path, "aufile.so")));
  if (!found) throw new Error("baresip has no modules; tests/install tests");
  return found;
}

/** Codecs, each a module, and the rate of their sound. */
const RATES = { g711: 8000, g722: 16000, opus: 48000 };

export class Baresip {
  /**
   * Registers as `user` and is ready for calls.
   * @param {{ expect?: RegExp, srtp?: string }} options `expect`: what its registration comes to; `srtp`: how it encrypts its
   * media with keys in SDP, `srtp` if it can or `srtp-mand` always; `params`: more parameters of its account;
   * `codec`: the only one that it speaks, `g711`, `g722` or `opus`
   */
  static async start(
    cleanup,
    gateway,
    { user, password = "secret", tone = 600, amplitude = 0.25, expect = /\} 200 OK \(/, srtp, params = "", codec = "g711" } = {},
  ) {
    const path = folder(cleanup);
    const [sip, control] = [await freePort(), await freePort()];
    // As long as any test: it does not begin again at its end.
    const rate = RATES[codec];
    writeWav(join(path, "says.wav"), sine(tone, 60, { rate, amplitude }), rate);
    writeFileSync(join(path, "contacts"), "");
    const encryption = srtp ? `;mediaenc=${srtp}` : "";
    writeFileSync(
      join(path, "accounts"),
      `<sip:${user}@${gateway.sip}>;auth_pass=${password};regint=600;ptime=20${encryption}${params}\n`,
    );
    writeFileSync(
      join(path, "config"),
      `poll_method epoll
sip_listen 127.0.0.1:${sip}
net_interface 127.0.0.1
call_max_calls 4
audio_player aubridge,nobody
audio_source aufile,${join(path, "says.wav")}
audio_alert aubridge,nobody
snd_path ${path}
audio_level no
ausrc_srate ${rate}
auplay_srate ${rate}
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
jitter_buffer_delay 5-10
rtp_stats no
module_path ${modules()}
module ${codec}.so
${srtp ? "module srtp.so" : ""}
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:${control}
`,
    );
    const program = new Program("baresip", ["-f", path, "-4", "-v", "-s"]);
    cleanup.add(() => program.stop("SIGTERM", 2_000));
    const baresip = new Baresip(program, path);
    await until("baresip takes commands", () => isBound("tcp", "127.0.0.1", control) || program.over);
    if (program.over) throw new Error(program.output());
    await baresip.#connect(control);
    cleanup.add(() => baresip.socket.destroy());
    await program.says(expect);
    return baresip;
  }

  constructor(program, path) {
    this.program = program;
    this.folder = path;
    /** { event: true, type: 'CALL_ESTABLISHED', … } */
    this.events = [];
    this.answers = [];
  }

  async #connect(port) {
    this.socket = net.connect(port, "127.0.0.1");
    let buffer = Buffer.alloc(0);
    this.socket.on("error", () => undefined);
    this.socket.on("data", (data) => {
      buffer = Buffer.concat([buffer, data]);
      for (;;) {
        // Netstrings: length, colon, text, comma.
        const colon = buffer.indexOf(":");
        const length = Number(buffer.toString("latin1", 0, Math.max(0, colon)));
        if (colon < 0 || buffer.length < colon + 1 + length + 1) return;
        const message = JSON.parse(buffer.toString("utf8", colon + 1, colon + 1 + length));
        (message.event ? this.events : this.answers).push(message);
        buffer = buffer.subarray(colon + 1 + length + 1);
      }
    });
    await new Promise((resolve, reject) => this.socket.once("connect", resolve).once("error", reject));
  }

  async command(command, params = "") {
    const before = this.answers.length;
    const text = JSON.stringify({ command, params, token: String(before) });
    this.socket.write(`${Buffer.byteLength(text)}:${text},`);
    const answer = await until(`baresip answers ${command}`, () => this.answers[before]);
    if (!answer.ok) throw new Error(`baresip: ${command} ${params}: ${answer.data}`);
    return answer.data;
  }

  /** Waits for the event, the first after `since`. */
  event(type, since = 0, timeout = 10_000) {
    return until(`baresip says ${type}`, () => this.events.slice(since).find((event) => event.type === type), timeout).catch(
      (error) => {
        throw new Error(`${error.message}\n${JSON.stringify(this.events)}\n${this.program.output().slice(-4000)}`);
      },
    );
  }

  /** What it has decoded so far in its `n`th call. */
  heard(n = 0) {
    const name = readdirSync(this.folder)
      .filter((name) => name.endsWith("-dec.wav"))
      .sort()[n];
    if (!name) throw new Error("baresip has recorded nothing yet");
    return readWav(join(this.folder, name));
  }

  hears(frequency, seconds = 1, timeout = 12_000) {
    return until(
      `baresip hears ${seconds} s of ${frequency} Hz`,
      () => {
        const { samples, rate } = this.heard();
        return toneSeconds(samples, rate, frequency) >= seconds;
      },
      timeout,
      100,
    ).catch((error) => {
      throw ofSound(new Error(`${error.message}\n${this.program.output().slice(-4000)}`));
    });
  }
}
