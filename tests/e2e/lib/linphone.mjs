// linphonec as a registered phone: plays a WAV file, records into one, and is told what to do by lines on its standard input.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toneSeconds } from "./heard.mjs";
import { ofSound } from "./lateness.mjs";
import { folder, freePort, Program } from "./process.mjs";
import { sine, writeWav } from "./tone.mjs";
import { until } from "./wait.mjs";

/** Rate of its files. */
const RATE = 8000;
/** Octets before the samples. */
const HEADER = 44;

/** Codecs that it knows, with their clock rates: one that its file does not name is enabled. */
const KNOWN = [
  ...["PCMU/8000", "PCMA/8000", "opus/48000/2", "speex/8000", "speex/16000", "speex/32000", "GSM/8000"],
  ...["G722/8000", "iLBC/8000", "G729/8000", "BV16/8000", "L16/44100", "L16/44100/2"],
];

function codecSections(codecs) {
  const section = (codec, index) => {
    const [mime, rate, channels] = codec.split("/");
    const enabled = codecs.includes(codec) ? 1 : 0;
    return [`[audio_codec_${index}]`, `mime=${mime}`, `rate=${rate}`, `channels=${channels ?? 1}`, `enabled=${enabled}`].join(
      "\n",
    );
  };
  return KNOWN.map(section).join("\n");
}

export class Linphone {
  /**
   * Registers as `user` and is ready for calls.
   * @param {{ sip: string }} gateway
   * @param {{ user: string, password?: string, tone?: number, amplitude?: number, srtp?: boolean, codecs?: string[],
   *   tls?: { address: string, ca: string } }}
   *   options `codecs`: those that it speaks, with their clock rates; `srtp`: it talks with keys in SDP only; `tls`: it registers
   *   there, and trusts that certificate, in which its library finds no addresses
   */
  static async start(cleanup, gateway, options = {}) {
    const { user, password = "secret", tone = 600, amplitude = 0.25, srtp = false, tls } = options;
    const { codecs = ["PCMU/8000", "PCMA/8000"] } = options;
    const path = folder(cleanup);
    const [sip, rtp] = [await freePort(), await freePort()];
    for (const name of [".local/share/linphone", ".config/linphone"]) mkdirSync(join(path, name), { recursive: true });
    // As long as any test: it does not begin again at its end.
    writeWav(join(path, "says.wav"), sine(tone, 60, { rate: RATE, amplitude }), RATE);
    const registrar = tls ? `sip:${tls.address};transport=tls` : `sip:${gateway.sip}`;
    writeFileSync(
      join(path, "linphonerc"),
      `[sip]
sip_port=${tls ? 0 : sip}
sip_tcp_port=0
sip_tls_port=${tls ? sip : 0}
${tls ? `root_ca=${tls.ca}\nverify_server_certs=1\nverify_server_cn=0` : ""}
media_encryption=${srtp ? "srtp" : "none"}
media_encryption_mandatory=${srtp ? 1 : 0}
default_proxy=0
guess_hostname=0
use_ipv6=0
contact=sip:${user}@127.0.0.1
register_only_when_network_is_up=0
[rtp]
audio_rtp_port=${rtp}
[sound]
echocancellation=0
${codecSections(codecs)}
[proxy_0]
reg_proxy=<${registrar}>
reg_route=<${registrar};lr>
reg_identity=sip:${user}@127.0.0.1
reg_sendregister=1
reg_expires=300
[auth_info_0]
username=${user}
passwd=${password}
realm=cordboard
`,
    );
    const program = new Program("linphonec", ["-c", join(path, "linphonerc"), "-d", "0"], { env: { HOME: path }, typed: true });
    cleanup.add(() => program.stop("SIGTERM", 2_000));
    const linphone = new Linphone(program, path);
    await linphone.#registers();
    // Calls have sound from files only when it was told so before them.
    program.type("soundcard use files");
    await program.says(/Using wav files/);
    program.type(`play ${join(path, "says.wav")}`);
    program.type(`record ${linphone.recording}`);
    return linphone;
  }

  constructor(program, path) {
    this.program = program;
    this.recording = join(path, "heard.wav");
    this.read = 0;
  }

  /** Waits until it is registered, which it says when it is asked. */
  async #registers() {
    const said = () => this.program.out.match(/^registered\S*|^Password for/gm) ?? [];
    await until("linphonec is registered", async () => {
      if (this.program.over || said().some((line) => line.startsWith("Password"))) throw new Error(this.program.output());
      if (said().includes("registered,")) return true;
      const answers = said().length;
      this.command("status register");
      await until("an answer", () => said().length > answers, 1_000);
      return false;
    }).catch((error) => {
      throw new Error(`${error.message}\n${this.program.output()}`);
    });
  }

  command(line) {
    this.program.type(line);
  }

  /** Waits until it says so, after whatever was waited for before. */
  async says(pattern, timeout = 10_000) {
    const { program } = this;
    const found = await until(`linphonec says ${pattern}`, () => pattern.exec(program.out.slice(this.read)), timeout).catch(
      (error) => {
        throw new Error(`${error.message}\n${program.output().slice(-4000)}`);
      },
    );
    this.read += found.index + found[0].length;
    return found;
  }

  /** Calls a number at the gateway; resolves with the call's id. */
  async call(uri) {
    this.command(`call ${uri}`);
    const [, id] = await this.says(/assigned id (\d+)/);
    return id;
  }

  /** Waits for a call, and takes it; resolves with its id. */
  async takes() {
    const [, id] = await this.says(/incoming call from .*assigned id (\d+)/);
    this.command(`answer ${id}`);
    await this.says(/connected\./);
    return id;
  }

  /** What it has heard so far, in all calls. The header of the file is written when a call ends. */
  heard() {
    const data = readFileSync(this.recording).subarray(HEADER);
    const samples = new Float32Array(Math.floor(data.length / 2));
    for (let n = 0; n < samples.length; n++) samples[n] = data.readInt16LE(2 * n) / 32_768;
    return { samples, rate: RATE };
  }

  /** Waits until it has heard `seconds` more of this tone. */
  hears(frequency, seconds = 1, timeout = 12_000) {
    const before = this.#seconds(frequency);
    return until(
      `linphonec hears ${seconds} s of ${frequency} Hz`,
      () => this.#seconds(frequency) >= before + seconds,
      timeout,
      100,
    ).catch((error) => {
      throw ofSound(new Error(`${error.message}\n${this.program.output().slice(-4000)}`));
    });
  }

  #seconds(frequency) {
    // Nothing is written before its first call.
    if (!existsSync(this.recording)) return 0;
    const { samples, rate } = this.heard();
    return toneSeconds(samples, rate, frequency);
  }
}
