// `cordboard phone --webrtc`: a WebRTC stack that we did not write calls through the gateway, and is called.
import assert from "node:assert/strict";
import { after, afterEach, before, describe } from "node:test";
import { Baresip } from "../lib/baresip.mjs";
import { certificate } from "../lib/certificate.mjs";
import { CordboardPhone, Gateway, run } from "../lib/cordboard.mjs";
import { dbOfDbm0, isTone, stretches, toneIn } from "../lib/heard.mjs";
import { listeningTest, heard as observed } from "../lib/lateness.mjs";
import { folder } from "../lib/process.mjs";
import { dbOfPeak } from "../lib/tone.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const OURS = 700;
const THEIRS = 1700;
const PEAK = 0.2;
const LEVEL = dbOfDbm0(-10);

describe("phone --webrtc", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  const test = listeningTest(() => each.run());
  let gateway;

  before(async () => {
    gateway = await Gateway.start(whole);
  });
  afterEach(() => each.run());
  after(() => whole.run());

  const start = (target, options) => CordboardPhone.start(each, gateway, target, { password: "cordboard", ...options });
  const caller = (target, options) => start(target, { user: "1001", tone: OURS, webrtc: true, ...options });
  const callee = (options) => start(undefined, { user: "1002", tone: THEIRS, webrtc: true, ...options }).waits();
  const heard = (who, frequency, db = LEVEL, more) => {
    const { samples, rate } = who.heard();
    isTone(assert, toneIn(samples, rate, frequency), { frequency, db, within: 1, ...more });
  };
  /** The last line of what it says, as an object. */
  const json = (out) => JSON.parse(out.trim().split("\n").at(-1));

  test("hears itself at 9196, and reports times, codecs and path for programs", async () => {
    const calling = caller("9196", { args: ["--json"] });
    await calling.hears(OURS, 2);
    const { code, out } = await calling.hangUp();
    assert.equal(code, 0, out);
    heard(calling, OURS, LEVEL, { seconds: 1.5 });
    const report = json(out);
    assert.deepEqual(
      [report.success, report.code, report.ended_by, report.received.codec, report.sent.codec],
      [true, 200, "us", "opus", "opus"],
    );
    assert.ok(report.received.packets > 90 && report.sent.packets > 90, out);
    const { websocket_ms, register_ms, answer_ms, ice_ms, dtls_ms, first_audio_ms } = report.set_up;
    for (const time of [websocket_ms, register_ms, answer_ms]) assert.ok(time > 0 && time < 5_000, out);
    assert.ok(ice_ms > 0 && ice_ms <= dtls_ms && dtls_ms <= first_audio_ms, out);
    assert.match(report.candidates.local, /^127\.0\.0\.1:\d+ \(host\)$/);
    assert.match(report.candidates.remote, /^127\.0\.0\.1:\d+ \(host\)$/);
    observed(() => assert.ok(report.received.loss_percent < 1 && report.received.mos > 4, out));
  });

  test("calls another one: Opus is relayed, tones and keys arrive, the called one hangs up", async () => {
    const called = await callee();
    const calling = caller("1002", { args: ["--dtmf", "59#"] });
    await Promise.all([called.hears(OURS, 1.5), calling.hears(THEIRS, 1.5)]);
    for (const key of "59#") await called.says(new RegExp(`^key ${key}`, "m"));
    const answered = await called.hangUp();
    assert.equal(answered.code, 0, answered.out);
    assert.match(answered.out, /^digits +59#$/m);
    const { code, out } = await calling.end();
    assert.equal(code, 0, out);
    assert.match(out, /ended by the other side/);
    for (const text of [out, answered.out]) assert.match(text, /^received +\d+ packets opus/m);
    heard(calling, THEIRS);
  });

  test("calls a phone that speaks G.711: transcoded, keys in both directions, the caller hangs up", async () => {
    // A pause first: what is pressed before DTLS is done is lost.
    const called = await callee({ user: "1003", webrtc: false, args: ["--dtmf", ",7"] });
    const calling = caller("1003", { args: ["--dtmf", "1,2"] });
    await Promise.all([called.hears(OURS, 1), calling.hears(THEIRS, 1.5)]);
    for (const key of "12") await called.says(new RegExp(`^key ${key}`, "m"));
    await calling.says(/^key 7/m);
    const { code, out } = await calling.hangUp();
    assert.equal(code, 0, out);
    const answered = await called.end();
    assert.match(answered.out, /^received +\d+ packets PCMU/m);
    assert.match(answered.out, /ended by the other side/);
    // A key takes the place of the tone while it is pressed.
    heard(calling, THEIRS, LEVEL, { gap: 300 });
  });

  test("is called by a phone that holds it and comes back", async () => {
    const calling = await Baresip.start(each, gateway, { user: "1003", password: "cordboard", tone: THEIRS, amplitude: PEAK });
    const called = await callee({ tone: OURS });
    await calling.command("dial", "1002");
    await calling.event("CALL_ESTABLISHED");
    await Promise.all([called.hears(THEIRS, 1), calling.hears(OURS, 1)]);
    await calling.command("hold");
    const parts = () => {
      const { samples, rate } = called.heard();
      return stretches(samples, rate, THEIRS);
    };
    const length = () => called.heard().samples.length / called.heard().rate;
    await until("the caller's tone is gone", () => length() - parts().at(-1).to > 1);
    await calling.command("resume");
    await until("the caller's tone is back", () => parts().length > 1 && parts().at(-1).to - parts().at(-1).from > 1);
    await calling.command("hangup");
    const { code, out } = await called.end();
    assert.equal(code, 0, out);
    assert.match(out, /ended by the other side/);
    // baresip begins a new recording when it resumes.
    heard(calling, OURS, LEVEL, { seconds: 0.7 });
    const { samples, rate } = called.heard();
    const { from, to } = parts().at(-1);
    const piece = samples.subarray(Math.round(from * rate), Math.round(to * rate));
    isTone(assert, toneIn(piece, rate, THEIRS), { frequency: THEIRS, db: dbOfPeak(PEAK), seconds: 0.7, within: 1 });
  });

  test("agrees on G.711 if it offers nothing else, and sends keys beside it", async () => {
    const called = await callee({ user: "1003", webrtc: false });
    const calling = caller("1003", { args: ["--codecs", "pcma,pcmu", "--dtmf", "5"] });
    await Promise.all([called.hears(OURS, 1), calling.hears(THEIRS, 1)]);
    await called.says(/^key 5/m);
    const { code, out } = await calling.hangUp();
    assert.equal(code, 0, out);
    assert.match(out, /^received +\d+ packets PCM[AU]/m);
    heard(calling, THEIRS);
  });

  test("says what is wrong: a password, a number, an address", async () => {
    const wrong = await caller("9196", { password: "guess", args: ["--json"] }).end();
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /^cordboard: cannot register: .*\b403\b.*name and password/m);
    assert.deepEqual([json(wrong.out).success, json(wrong.out).code], [false, 403]);
    const nobody = await caller("12").end();
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /^cordboard: call failed: .*\b404\b/m);
    const away = await caller("1004").end();
    assert.match(away.err, /^cordboard: call failed: .*\b480\b/m);
    const closed = await run(["phone", "9196", "--webrtc", "ws://127.0.0.1:1/ws"]);
    assert.equal(closed.code, 1);
    assert.match(closed.err, /^cordboard: cannot connect to ws:\/\/127\.0\.0\.1:1\/ws: .*refused/m);
    const elsewhere = await run(["phone", "9196", "--webrtc", `ws://127.0.0.1:${gateway.httpPort}/nowhere`]);
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.err, /^cordboard: cannot connect to .*404/m);
  });

  test("trusts a certificate that is named, or any if it is told to, and no other", async () => {
    const { cert, key } = certificate(folder(each));
    const secure = await Gateway.start(each, "", { http: `certificate = "${cert}"\nkey = "${key}"` });
    assert.match(secure.ws, /^wss:/);
    const over = (args) =>
      CordboardPhone.start(each, secure, "9196", { user: "1001", password: "cordboard", tone: OURS, webrtc: true, args });
    const stranger = await over(["--ca", certificate(folder(each)).cert]).end();
    assert.equal(stranger.code, 1);
    assert.match(stranger.err, /^cordboard: cannot connect to wss:.*certificate.*--ca.*--insecure/m);
    for (const args of [["--ca", cert], ["--insecure"]]) {
      const calling = over(args);
      await calling.hears(OURS, 1);
      const { code, out } = await calling.hangUp();
      assert.equal(code, 0, out);
    }
  });

  test("makes several calls at once", async () => {
    const args = ["phone", "9196", "--webrtc", gateway.ws, "--user", "1001", "--tone", String(OURS)];
    const { code, out, err } = await run([...args, "--calls", "5", "--duration", "3", "--json"]);
    assert.equal(code, 0, out + err);
    const report = json(out);
    assert.deepEqual([report.calls, report.good, report.failed, report.each.length], [5, 5, 0, 5]);
    observed(() => assert.ok(report.loss_percent < 1 && report.mos.min > 4, out));
  });
});
