// sipp as a trunk, in both directions: calls in to registered phones, calls out by the dial plan, and what trunks do.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe } from "node:test";
import { CordboardPhone, Gateway } from "../lib/cordboard.mjs";
import { isDigest } from "../lib/digest.mjs";
import { toMulaw } from "../lib/g711.mjs";
import { dbOfDbm0, isTone, stretches, toneIn } from "../lib/heard.mjs";
import { listeningTest } from "../lib/lateness.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { folder, freePort } from "../lib/process.mjs";
import { called, caller, Sipp, sdp, step } from "../lib/sipp.mjs";
import { dbOfPeak, sine } from "../lib/tone.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const PHONE_TONE = 700;
const TRUNK_TONE = 1300;
const PEAK = 0.2;
const fromPhone = { frequency: PHONE_TONE, db: dbOfDbm0(-10) };
const fromTrunk = { frequency: TRUNK_TONE, db: dbOfPeak(PEAK) };

describe("a trunk", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  const test = listeningTest(() => each.run());
  const trunk = { ip: "127.0.0.2" };
  const strict = { ip: "127.0.0.3" };
  const stream = { ip: "127.0.0.4", transport: "tcp" };
  const alaw = { ip: "127.0.0.5" };
  let gateway;

  before(async () => {
    for (const one of [trunk, strict, stream, alaw]) one.port = await freePort(one.ip);
    gateway = await Gateway.start(
      whole,
      `ring_timeout = 5
[[users]]
name = "1001"
password = "secret"
[[users]]
name = "1002"
password = "secret"
[[trunks]]
name = "carrier"
address = "${trunk.ip}:${trunk.port}"
[[trunks]]
name = "strict"
address = "${strict.ip}:${strict.port}"
username = "us"
password = "ours"
[[trunks]]
name = "stream"
address = "${stream.ip}:${stream.port}"
transport = "tcp"
[[trunks]]
name = "alaw"
address = "${alaw.ip}:${alaw.port}"
codecs = ["pcma"]
[[dial]]
match = "+493055(XXXX)"
from = "carrier"
rewrite = "$1"
user = true
[[dial]]
match = "+493066(XXXX)"
from = "stream"
rewrite = "$1"
user = true
[[dial]]
match = "0(Z.)"
rewrite = "+49$1"
trunk = "carrier"
[[dial]]
match = "8(.)"
rewrite = "$1"
trunk = "strict"
[[dial]]
match = "7(.)"
rewrite = "$1"
trunk = "stream"
[[dial]]
match = "6(.)"
rewrite = "$1"
trunk = "alaw"
`,
    );
  });
  afterEach(() => each.run());
  after(() => whole.run());

  const phone = (target, options = {}) =>
    CordboardPhone.start(each, gateway, target, { user: target ? "1002" : "1001", tone: PHONE_TONE, ...options });
  const waitingPhone = (options) => phone(undefined, options).waits();
  const rtp = (one = trunk) => RtpEnd.open(each, one.ip);
  const call = (steps, { one = trunk, number = "+4930551001", ...more } = {}) =>
    Sipp.call(each, gateway, { ...one, number, steps, ...more });
  const isCalled = (steps, { one = trunk, ...more } = {}) => Sipp.called(each, { ...one, steps, ...more });
  const phoneHeard = (phone, tone, more) => {
    const { samples, rate } = phone.heard();
    isTone(assert, toneIn(samples, rate, tone.frequency), { ...tone, ...more });
  };
  const trunkHeard = (end, tone = fromPhone, more = {}) => isTone(assert, end.measure(tone.frequency), { ...tone, ...more });

  test("calls in: the dial plan finds the phone, and both hear each other", async () => {
    const answering = await waitingPhone();
    const end = await rtp();
    const sipp = call([caller.call(sdp(end)), caller.expectAnswer(), step.expect("BYE")]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE, 1.5), answering.hears(TRUNK_TONE, 1.5)]);
    const { code, out } = await answering.hangUp();
    await sipp.succeeds();
    assert.equal(code, 0, out);
    assert.match(answering.program.err, /\+4917012345 calls/);
    phoneHeard(answering, fromTrunk);
    trunkHeard(end);
  });

  test("is called: the number is rewritten, and both hear each other", async () => {
    const end = await rtp();
    const sipp = await isCalled([
      called.invite({ matches: [{ regexp: "INVITE sip:\\+4930123@" }, { header: "From", regexp: "1002" }] }),
      called.ring(180),
      called.answer(sdp(end)),
      step.expect("BYE"),
    ]);
    const calling = phone("030123");
    end.play(TRUNK_TONE, { amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE, 1.5), calling.hears(TRUNK_TONE, 1.5)]);
    const { code, out } = await calling.hangUp();
    await sipp.succeeds();
    assert.equal(code, 0, out);
    phoneHeard(calling, fromTrunk);
    trunkHeard(end);
  });

  test("calls in with sipp's own sound, and is echoed by sipp", async () => {
    const raw = join(folder(each), "tone.ul");
    writeFileSync(raw, Uint8Array.from(sine(TRUNK_TONE, 1, { rate: 8000, amplitude: PEAK }), toMulaw));
    const answering = await waitingPhone();
    const streaming = call([
      caller.call(sdp({ ip: trunk.ip, port: "[rtpstream_audio_port]" })),
      caller.expectAnswer(),
      step.stream(raw),
      step.expect("BYE"),
    ]);
    await answering.hears(TRUNK_TONE, 1.5);
    await answering.hangUp();
    await streaming.succeeds();
    phoneHeard(answering, fromTrunk);

    const port = await freePort(trunk.ip);
    const echoing = await isCalled(
      [called.invite(), called.answer(sdp({ ip: trunk.ip, port: "[media_port]" })), step.expect("BYE")],
      { args: ["-rtp_echo", "-mp", String(port)] },
    );
    const calling = phone("030123");
    await calling.hears(PHONE_TONE, 1.5);
    const { code, out } = await calling.hangUp();
    await echoing.succeeds();
    assert.equal(code, 0, out);
    phoneHeard(calling, fromPhone);
  });

  test("of A-law only gets its own law, at the same level", async () => {
    const port = await freePort(alaw.ip);
    const echoing = await isCalled(
      [
        called.invite({ matches: [{ regexp: "m=audio [0-9]+ RTP/AVP 8 " }] }),
        called.answer(sdp({ ip: alaw.ip, port: "[media_port]", formats: "8" })),
        step.expect("BYE"),
      ],
      { one: alaw, args: ["-rtp_echo", "-mp", String(port)] },
    );
    const calling = phone("6123");
    await calling.hears(PHONE_TONE, 1.5);
    await calling.hangUp();
    await echoing.succeeds();
    phoneHeard(calling, fromPhone);
  });

  test("that asks for credentials (407) gets them", async () => {
    const end = await rtp(strict);
    const sipp = await isCalled(
      [called.invite(), called.challenge({ realm: "strict.example" }), called.answer(sdp(end)), step.expect("BYE")],
      { one: strict },
    );
    const calling = phone("8555");
    end.play(TRUNK_TONE, { amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE), calling.hears(TRUNK_TONE)]);
    await calling.hangUp();
    await sipp.succeeds();
    const sent = /^Proxy-Authorization: (Digest .*)$/m.exec(sipp.trace())[1];
    assert.ok(isDigest(sent, { method: "INVITE", username: "us", password: "ours" }), sent);
    trunkHeard(end, fromPhone, { seconds: 0.8 });
  });

  test("that does not take the credentials: the caller is told", async () => {
    const sipp = await isCalled([called.invite(), called.challenge({ realm: "strict.example" }), called.refuse(403)], {
      one: strict,
    });
    const { code, err } = await phone("8555").end();
    await sipp.succeeds();
    assert.equal(code, 1);
    assert.match(err, /^cordboard: call failed: .*\b403\b/m);
  });

  test("calls in without an offer, and gets one", async () => {
    const answering = await waitingPhone();
    const end = await rtp();
    const sipp = call([caller.call(), caller.expectAnswer(sdp(end)), step.expect("BYE")]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE), answering.hears(TRUNK_TONE)]);
    await answering.hangUp();
    await sipp.succeeds();
    phoneHeard(answering, fromTrunk, { seconds: 0.8 });
    trunkHeard(end, fromPhone, { seconds: 0.8 });
  });

  test("with early media: its announcement is heard before the answer", async () => {
    const ANNOUNCEMENT = 900;
    const end = await rtp();
    const sipp = await isCalled([
      called.invite(),
      called.ring(183, { text: sdp(end) }),
      step.pause(1500),
      called.answer(sdp(end)),
      step.expect("BYE"),
    ]);
    const calling = phone("030123");
    end.play(ANNOUNCEMENT, { remote: await sipp.media(), amplitude: PEAK });
    await sipp.saw(/^ACK /m);
    end.play(TRUNK_TONE, { amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE), calling.hears(TRUNK_TONE)]);
    await calling.hangUp();
    await sipp.succeeds();
    assert.match(calling.program.err, /^ringing, with sound$/m);
    const { samples, rate } = calling.heard();
    const [early] = stretches(samples, rate, ANNOUNCEMENT);
    const [late] = stretches(samples, rate, TRUNK_TONE);
    assert.ok(early.to - early.from >= 1, `the announcement: ${JSON.stringify(early)}`);
    assert.ok(late.from - early.to < 0.2, `then the call: ${JSON.stringify({ early, late })}`);
    trunkHeard(end, fromPhone, { seconds: 0.8 });
  });

  test("that rings twice, and answers with a session that lasts", async () => {
    const end = await rtp();
    const sipp = await isCalled([
      called.invite(),
      called.ring(180),
      called.ring(180),
      called.answer(sdp(end)),
      step.expect("BYE"),
    ]);
    const calling = phone("030123");
    await end.hears(PHONE_TONE, 0.5);
    await calling.hangUp();
    await sipp.succeeds();
    trunkHeard(end, fromPhone, { seconds: 0.3 });
  });

  test("holds and takes back: the phone hears its music meanwhile, the trunk nothing", async () => {
    const MUSIC = 500;
    const answering = await waitingPhone();
    const end = await rtp();
    const sipp = call([
      caller.call(sdp(end)),
      caller.expectAnswer(),
      step.pause(1200),
      step.reinvite(sdp({ ...end.address, direction: "sendonly", version: 2 })),
      step.pause(1500),
      step.reinvite(sdp({ ...end.address, version: 3 })),
      step.expect("BYE"),
    ]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await sipp.media(2);
    end.play(MUSIC, { amplitude: PEAK });
    await sipp.media(3);
    end.play(TRUNK_TONE, { amplitude: PEAK });
    const back = end.packets.length;
    await end.hears(PHONE_TONE, 1, 8_000, back);
    await answering.hangUp();
    await sipp.succeeds();
    const [, second, third] = sipp
      .received()
      .filter((text) => text.includes("m=audio"))
      .map((text) => /^a=(sendrecv|recvonly|sendonly|inactive)/m.exec(text)?.[1]);
    assert.deepEqual([second, third], ["recvonly", "sendrecv"]);
    const { samples, rate } = answering.heard();
    const talks = stretches(samples, rate, TRUNK_TONE, 0.5);
    const [music] = stretches(samples, rate, MUSIC, 0.5);
    assert.equal(talks.length, 2, JSON.stringify(talks));
    assert.ok(music.from >= talks[0].to - 0.1 && music.to <= talks[1].from + 0.1, JSON.stringify({ talks, music }));
    // What the trunk was sent, by arrival: one pause, about as long as the hold.
    const spoken = end.packets.filter(({ type }) => type === 0).map(({ at }) => at);
    const pause = Math.max(...spoken.slice(1).map((at, n) => at - spoken[n]));
    assert.ok(pause > 1300 && pause < 2000, `nothing for ${pause} ms`);
    isTone(assert, end.measure(PHONE_TONE, back), { ...fromPhone, seconds: 0.8 });
  });

  test("moves its media to another port by re-INVITE", async () => {
    const answering = await waitingPhone();
    const [first, second] = [await rtp(), await rtp()];
    const sipp = call([
      caller.call(sdp(first)),
      caller.expectAnswer(),
      step.pause(1200),
      step.reinvite(sdp({ ...second.address, version: 2 })),
      step.expect("BYE"),
    ]);
    first.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    const remote = await sipp.media(2);
    first.quiet();
    const heardBefore = first.packets.length;
    second.play(TRUNK_TONE, { remote, amplitude: PEAK });
    await second.hears(PHONE_TONE, 1.5);
    await answering.hangUp();
    await sipp.succeeds();
    trunkHeard(second);
    // The old port gets nothing more, but for what was on its way.
    assert.ok(first.packets.length - heardBefore <= 5, `${first.packets.length - heardBefore} more packets`);
    phoneHeard(answering, fromTrunk, { seconds: 2, gap: 200 });
  });

  test("re-INVITEs without an offer", async () => {
    const answering = await waitingPhone();
    const end = await rtp();
    const sipp = call([
      caller.call(sdp(end)),
      caller.expectAnswer(),
      step.pause(500),
      step.reinvite("", { answerInAck: sdp({ ...end.address, version: 2 }) }),
      step.expect("BYE"),
    ]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await sipp.media(2);
    const since = end.packets.length;
    await end.hears(PHONE_TONE, 1, 8_000, since);
    await answering.hangUp();
    await sipp.succeeds();
    trunkHeard(end, fromPhone, { seconds: 1 });
    phoneHeard(answering, fromTrunk, { seconds: 1 });
  });

  test("that wants PRACK gets PRACK, and PRACKs ours", async () => {
    const end = await rtp();
    const reliable = await isCalled([
      called.invite(),
      called.ringReliably(183, 7, sdp(end)),
      called.ringReliably(180, 8),
      called.answer(),
      step.expect("BYE"),
    ]);
    const calling = phone("030123");
    await end.hears(PHONE_TONE, 0.5);
    await calling.hangUp();
    await reliable.succeeds();
    assert.match(reliable.trace(), /^RAck: 7 \d+ INVITE/m);
    trunkHeard(end, fromPhone, { seconds: 0.3 });

    const answering = await waitingPhone({ ring: 1 });
    const other = await rtp();
    const sipp = call([
      caller.call(sdp(other), { headers: ["Require: 100rel"] }),
      caller.expectReliable(180),
      caller.expectAnswer(),
      step.expect("BYE"),
    ]);
    await other.hears(PHONE_TONE, 0.5);
    await answering.hangUp();
    await sipp.succeeds();
    trunkHeard(other, fromPhone, { seconds: 0.3 });
  });

  test("gives up while the phone rings", async () => {
    const answering = await waitingPhone({ ring: 30 });
    const end = await rtp();
    const sipp = call([caller.call(sdp(end)), caller.expectRinging(), step.pause(300), caller.cancel()]);
    await sipp.succeeds();
    const { code, err } = await answering.end();
    assert.equal(code, 1);
    assert.match(err, /\+4917012345 calls[\s\S]*^cordboard: call failed/m);
  });

  test("is cancelled when the caller gives up", async () => {
    const sipp = await isCalled([called.invite(), called.ring(180), called.cancelled()]);
    const calling = phone("030123");
    await calling.says(/^ringing/m);
    const { code, err } = await calling.hangUp();
    await sipp.succeeds();
    assert.equal(code, 1);
    assert.match(err, /^cordboard: interrupted$/m);
  });

  for (const [refusal, heard] of [
    [486, 486],
    [503, 503],
    [404, 404],
    [603, 603],
  ]) {
    test(`refuses with ${refusal}: the caller is told ${heard}`, async () => {
      const sipp = await isCalled([called.invite(), called.ring(180), called.refuse(refusal)]);
      const { code, err } = await phone("030123").end();
      await sipp.succeeds();
      assert.equal(code, 1);
      assert.match(err, new RegExp(`^cordboard: call failed: .*\\b${heard}\\b`, "m"));
    });
  }

  test("that nobody reaches: the caller is told at once", async () => {
    const begun = Date.now();
    const { code, err } = await phone("7123").end();
    assert.equal(code, 1);
    assert.match(err, /^cordboard: call failed: .*\b503\b/m);
    assert.ok(Date.now() - begun < 4_000, `${Date.now() - begun} ms`);
  });

  test("answers with what was not offered: the call ends", async () => {
    const sipp = await isCalled([
      called.invite(),
      called.answer(sdp({ ip: trunk.ip, port: 30_000, formats: "18" })),
      step.expect("BYE"),
    ]);
    const { code, err } = await phone("030123").end();
    await sipp.succeeds();
    assert.equal(code, 1);
    assert.match(err, /^cordboard: call failed: .*\b488\b/m);
  });

  test("does not answer, or is not answered: both ends are told after ring_timeout", async () => {
    const end = await rtp();
    const answering = await waitingPhone({ ring: 30 });
    const silent = await isCalled([called.invite(), called.ring(180), called.cancelled()]);
    const calling = phone("030123");
    const waiting = call([caller.call(sdp(end)), caller.expectRefusal(480)], {
      one: { ip: trunk.ip, port: await freePort(trunk.ip) },
    });
    const [{ code, err }, missed] = await Promise.all([calling.end(), answering.end(), silent.succeeds(), waiting.succeeds()]);
    assert.deepEqual([code, missed.code], [1, 1]);
    assert.match(err, /^cordboard: call failed: .*\b480\b/m);
  });

  test("hangs up", async () => {
    const answering = await waitingPhone();
    const end = await rtp();
    const sipp = call([caller.call(sdp(end)), caller.expectAnswer(), step.pause(1200), step.bye()]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await sipp.succeeds();
    const { code, out } = await answering.end(3_000);
    assert.equal(code, 0, out);
    assert.match(out, /final code 200/);
    phoneHeard(answering, fromTrunk, { seconds: 0.7 });
    await until("the gateway notes the end", () => gateway.endings().length > 0);
  });

  test("refreshes its session by UPDATE", async () => {
    const answering = await waitingPhone();
    const end = await rtp();
    const timer = ["Supported: timer", "Session-Expires: 90;refresher=uac"];
    const sipp = call([
      caller.call(sdp(end), { headers: timer }),
      caller.expectAnswer(),
      step.pause(500),
      step.update("", timer),
      step.pause(500),
      step.update(sdp({ ...end.address, version: 2 })),
      step.expect("BYE"),
    ]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await sipp.media(2);
    await end.hears(PHONE_TONE, 1.5);
    await answering.hangUp();
    await sipp.succeeds();
    const answers = sipp.received().filter((text) => text.startsWith("SIP/2.0 200"));
    assert.match(answers[0], /^Session-Expires: 90;refresher=uac/im);
    assert.match(answers[1], /^Session-Expires: 90;refresher=uac/im);
    trunkHeard(end, fromPhone, { seconds: 1.3 });
    phoneHeard(answering, fromTrunk, { seconds: 1.3 });
  });

  test("keys go both ways: RFC 4733 and INFO in, RFC 4733 out", async () => {
    const answering = await waitingPhone({ args: ["--dtmf", "42#"] });
    const end = await rtp();
    const sipp = call([
      caller.call(sdp(end)),
      caller.expectAnswer(),
      step.pause(1000),
      step.info("Signal=7\nDuration=120\n"),
      step.expect("BYE"),
    ]);
    end.play(TRUNK_TONE, { remote: await sipp.media(), amplitude: PEAK });
    await end.hears(PHONE_TONE, 0.3);
    await end.key("5");
    await end.key("*");
    for (const key of ["5", "\\*", "7"]) await answering.says(new RegExp(`^key ${key}`, "m"));
    await until("all keys", () => end.keys() === "42#");
    const { out } = await answering.hangUp();
    await sipp.succeeds();
    const digits = /^digits +(\S+)/m.exec(out)?.[1];
    assert.equal([...digits].sort().join(""), "*57", out);
  });

  test("over TCP, in and out", async () => {
    const end = await rtp(stream);
    const sipp = await isCalled([called.invite(), called.ring(180), called.answer(sdp(end)), step.expect("BYE")], {
      one: stream,
    });
    const calling = phone("7123");
    end.play(TRUNK_TONE, { amplitude: PEAK });
    await Promise.all([end.hears(PHONE_TONE), calling.hears(TRUNK_TONE)]);
    await calling.hangUp();
    await sipp.succeeds();
    trunkHeard(end, fromPhone, { seconds: 0.8 });
    phoneHeard(calling, fromTrunk, { seconds: 0.8 });

    const answering = await waitingPhone();
    const other = await rtp(stream);
    const inbound = call([caller.call(sdp(other)), caller.expectAnswer(), step.expect("BYE")], {
      one: { ...stream, port: await freePort(stream.ip) },
      number: "+4930661001",
    });
    await other.hears(PHONE_TONE);
    await answering.hangUp();
    await inbound.succeeds();
    trunkHeard(other, fromPhone, { seconds: 0.8 });
  });

  test("calls a number that nobody has, or a user that is not there", async () => {
    const end = await rtp();
    await call([caller.call(sdp(end)), caller.expectRefusal(404)], { number: "+49999" }).succeeds();
    // Nobody is left of the phones before, also of those whose call came to nothing: it is told at once.
    await call([caller.call(sdp(end)), caller.expectRefusal(480)], { number: "+4930551001" }).succeeds(3_000);
    // Calls of one trunk do not go out through another one.
    await call([caller.call(sdp(end)), caller.expectRefusal(404)], { number: "8555" }).succeeds();
  });

  test("is known by its address: a stranger is asked who he is", async () => {
    const stranger = { ip: "127.0.0.9", port: await freePort("127.0.0.9") };
    const end = await rtp(stranger);
    const sipp = call([caller.call(sdp(end)), caller.expectRefusal(401)], { one: stranger });
    await sipp.succeeds();
  });
});
