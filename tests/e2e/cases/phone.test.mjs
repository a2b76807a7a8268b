// A phone that we did not write: baresip, registered over UDP, calls and is called.
import assert from "node:assert/strict";
import { after, afterEach, before, describe } from "node:test";
import { Baresip } from "../lib/baresip.mjs";
import { CordboardPhone, Gateway } from "../lib/cordboard.mjs";
import { dbOfDbm0, isTone, sounds, stretches, toneIn } from "../lib/heard.mjs";
import { listeningTest, heard as observed } from "../lib/lateness.mjs";
import { dbOfPeak } from "../lib/tone.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const OURS = 700;
/** Higher than what the music on hold is made of, which therefore never looks like it. */
const THEIRS = 1700;
const PEAK = 0.2;

describe("baresip", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  const test = listeningTest(() => each.run());
  let gateway;

  before(async () => {
    gateway = await Gateway.start(whole);
  });
  afterEach(() => each.run());
  after(() => whole.run());

  const baresip = (options) =>
    Baresip.start(each, gateway, { user: "1003", password: "cordboard", tone: THEIRS, amplitude: PEAK, ...options });
  const phone = (target, options) =>
    CordboardPhone.start(each, gateway, target, { user: "1004", password: "cordboard", tone: OURS, ...options });
  const heard = (who, frequency, db, more) => {
    const { samples, rate } = who.heard();
    isTone(assert, toneIn(samples, rate, frequency), { frequency, db, ...more });
  };

  test("registers, calls 9197 and hears 1004 Hz at -10 dBm0", async () => {
    const calling = await baresip();
    await calling.command("dial", "9197");
    await calling.event("CALL_ESTABLISHED");
    await calling.hears(1004, 2);
    await calling.command("hangup");
    await calling.event("CALL_CLOSED");
    heard(calling, 1004, dbOfDbm0(-10), { seconds: 1.7 });
  });

  test("is told of a wrong password", async () => {
    const refused = await baresip({ password: "wrong", expect: /\b40[13] \w+/ });
    assert.match(refused.program.out + refused.program.err, /1003@\S+: .*\b40[13]\b/);
  });

  test("is called, answers, and both hear each other", async () => {
    const called = await baresip();
    const calling = phone("1003");
    await called.event("CALL_INCOMING");
    await calling.says(/^ringing/m);
    await called.command("accept");
    await called.event("CALL_ESTABLISHED");
    await Promise.all([called.hears(OURS, 1.5), calling.hears(THEIRS, 1.5)]);
    const { code, out } = await calling.hangUp();
    await called.event("CALL_CLOSED");
    assert.equal(code, 0, out);
    heard(called, OURS, dbOfDbm0(-10));
    heard(calling, THEIRS, dbOfPeak(PEAK));
  });

  test("refuses: the caller is told that it is busy", async () => {
    const called = await baresip();
    const calling = phone("1003");
    await called.event("CALL_INCOMING");
    await called.command("hangup");
    const { code, err } = await calling.end();
    assert.equal(code, 1);
    assert.match(err, /^cordboard: call failed: .*\b486\b/m);
  });

  const holdAndTakeBack = async (srtp) => {
    const calling = await baresip({ srtp });
    const answering = await phone().waits();
    await calling.command("dial", "1004");
    await calling.event("CALL_ESTABLISHED");
    await Promise.all([answering.hears(THEIRS, 1), calling.hears(OURS, 1)]);
    await calling.command("hold");
    const seen = [];
    await until("the sound stops", () => {
      const now = performance.now();
      seen.push({ now, length: calling.heard().samples.length });
      // Files are written half a second at a time.
      const before = seen.findLast((one) => one.now <= now - 1100);
      return before && before.length === seen.at(-1).length;
    });
    heard(calling, OURS, dbOfDbm0(-10), { seconds: 0.8 });
    await calling.command("resume");
    const parts = () => {
      const { samples, rate } = answering.heard();
      return stretches(samples, rate, THEIRS);
    };
    await until("the sound is back", () => {
      const [, again] = parts();
      return again && again.to - again.from >= 1;
    });
    const { code, out } = await answering.hangUp();
    assert.equal(code, 0, out);
    const answers = (calling.program.out + calling.program.err).match(/^a=(sendrecv|sendonly|recvonly|inactive)/gm);
    // Offer and answer of the hold, and of its end.
    assert.deepEqual(answers.slice(-4), ["a=sendonly", "a=recvonly", "a=sendrecv", "a=sendrecv"]);
    const { samples, rate } = answering.heard();
    const piece = (from, to) => samples.subarray(Math.round(from * rate), Math.round(to * rate));
    observed(() => {
      assert.equal(parts().length, 2, JSON.stringify(parts()));
      const [before, again] = parts();
      for (const { from, to } of [before, again]) {
        isTone(assert, toneIn(piece(from, to), rate, THEIRS), { frequency: THEIRS, db: dbOfPeak(PEAK), seconds: 0.7 });
      }
      // Music fills what is between: it begins when the holder has been silent for a moment, and gives way when the holder is back.
      const music = sounds(piece(before.to, again.from), rate);
      const text = JSON.stringify({ before, again, music });
      assert.equal(music.length, 1, text);
      assert.ok(music[0].to - music[0].from > 0.6, text);
      assert.ok(music[0].from < 0.3, text);
      assert.ok(again.from - before.to - music[0].to < 0.2, text);
    });
    return calling.program.out + calling.program.err;
  };

  test("holds and takes back: the holder hears nothing meanwhile, the other one music", async () => {
    const said = await holdAndTakeBack();
    assert.doesNotMatch(said, /^a=crypto:/m);
  });

  test("encrypts with keys in SDP: both hear each other, before and after a hold", async () => {
    const said = await holdAndTakeBack("srtp-mand");
    assert.match(said, /^m=audio \d+ RTP\/SAVP /m);
    assert.doesNotMatch(said, /^m=audio \d+ RTP\/AVP /m);
    // Both sides keep their keys while the call lasts.
    assert.equal(new Set(said.match(/^a=crypto:.*inline:\S+/gm)).size, 2, said);
  });

  test("hears more than a telephone carries: one with G.722 alone, another with Opus alone", async () => {
    // Frequencies beyond 4 kHz, which neither G.711 nor sound at 8 kHz has.
    const [low, high] = [4700, 5900];
    const calling = await baresip({ codec: "g722", tone: low });
    const called = await baresip({ codec: "opus", tone: high, user: "1004" });
    await calling.command("dial", "1004");
    await called.event("CALL_INCOMING");
    await called.command("accept");
    await calling.event("CALL_ESTABLISHED");
    await Promise.all([called.hears(low, 1.5), calling.hears(high, 1.5)]);
    await calling.command("hangup");
    await called.event("CALL_CLOSED");
    for (const [who, frequency] of [
      [called, low],
      [calling, high],
    ]) {
      const { samples, rate } = who.heard();
      const { db, purity } = toneIn(samples, rate, frequency);
      observed(() => assert.ok(purity > 0.95 && Math.abs(db - dbOfPeak(PEAK)) < 2, `${frequency} Hz: ${db} dB, ${purity}`));
    }
  });

  for (const [codec, srtp] of [["g722"], ["opus"], ["opus", "srtp-mand"]]) {
    test(`speaks ${codec} alone${srtp ? ", encrypted," : ""} with a phone that speaks G.711 alone`, async () => {
      const calling = await baresip({ codec, srtp });
      const answering = await phone().waits();
      await calling.command("dial", "1004");
      await calling.event("CALL_ESTABLISHED");
      await Promise.all([answering.hears(THEIRS, 1.5), calling.hears(OURS, 1.5)]);
      const { code, out } = await answering.hangUp();
      assert.equal(code, 0, out);
      heard(answering, THEIRS, dbOfPeak(PEAK));
      heard(calling, OURS, dbOfDbm0(-10));
    });
  }

  test("sends keys, and gets some", async () => {
    const calling = await baresip();
    const answering = await phone(undefined, { args: ["--dtmf", "73#"] }).waits();
    await calling.command("dial", "1004");
    await calling.event("CALL_ESTABLISHED");
    for (const key of "19") {
      await calling.command("sndcode", key);
      await answering.says(new RegExp(`^key ${key}`, "m"));
    }
    const begun = () => calling.events.filter(({ type, param }) => type === "CALL_DTMF_START" && param).map(({ param }) => param);
    await observed(() =>
      until("baresip hears 73#", () => begun().join("") === "73#").catch((error) => {
        throw new Error(`${error.message}: ${JSON.stringify(calling.events)}\n${calling.program.output().slice(-3000)}`);
      }),
    );
    const { out } = await answering.hangUp();
    assert.match(out, /^digits +19$/m);
  });
});
