import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { farQuality, meanOpinion, type Quality, qualityBetween, readSample, verdictOf } from "../src/quality";

const chromium = [
  { type: "codec", id: "C1", mimeType: "audio/opus", clockRate: 48000 },
  { type: "inbound-rtp", kind: "audio", packetsReceived: 500, packetsLost: 5, jitter: 0.004, codecId: "C1" },
  { type: "outbound-rtp", kind: "audio", packetsSent: 510, codecId: "C1" },
  { type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.02, roundTripTime: 0.031 },
  { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.025 },
  { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
  { type: "inbound-rtp", kind: "video", packetsReceived: 9000, packetsLost: 9000 },
];

describe("statistics", () => {
  test("are read from a report", () => {
    assert.deepEqual(readSample(chromium, 7), {
      at: 7,
      packetsReceived: 500,
      packetsLost: 5,
      packetsSent: 510,
      jitter: 0.004,
      roundTrip: 0.031,
      lossOut: 0.02,
      codecIn: "opus 48 kHz",
      codecOut: "opus 48 kHz",
    });
  });

  test("take the round trip of the checks while RTCP has none", () => {
    const report = chromium.filter(({ type }) => type !== "remote-inbound-rtp");
    assert.equal(readSample(report, 0).roundTrip, 0.025);
  });

  test("survive a report without anything", () => {
    assert.deepEqual(readSample([], 0), {
      at: 0,
      packetsReceived: 0,
      packetsLost: 0,
      packetsSent: 0,
      roundTrip: undefined,
    });
  });

  test("count loss between two samples, not since the beginning", () => {
    const sample = { at: 0, packetsReceived: 100, packetsLost: 50, packetsSent: 0 };
    const quality = qualityBetween(sample, { ...sample, packetsReceived: 145, packetsLost: 55 });
    assert.equal(quality.lossIn, 10);
    assert.equal(quality.silent, false);
    assert.equal(qualityBetween(sample, sample).silent, true);
    // Late packets can lower the count of lost ones.
    assert.equal(qualityBetween(sample, { ...sample, packetsReceived: 150, packetsLost: 48 }).lossIn, 0);
  });
});

describe("mean opinion score", () => {
  test("is high on a clean line and falls with loss and delay", () => {
    assert.ok(meanOpinion(0, 2, 10) > 4.3);
    assert.ok(meanOpinion(5, 2, 10) < 4.1);
    assert.ok(meanOpinion(0, 2, 800) < 3.6);
    assert.ok(meanOpinion(50, 100, 2000) >= 1);
  });

  test("grades follow it", () => {
    const sample = { at: 0, packetsReceived: 0, packetsLost: 0, packetsSent: 0 };
    const grade = (packetsReceived: number, packetsLost: number) =>
      verdictOf(qualityBetween(sample, { ...sample, packetsReceived, packetsLost }), undefined).grade;
    assert.equal(grade(1000, 0), "good");
    assert.equal(grade(940, 60), "fair");
    assert.equal(grade(700, 300), "poor");
  });
});

describe("the verdict on a call", () => {
  const near: Quality = { lossIn: 0, lossOut: 0, jitterMs: 2, roundTripMs: 10, mos: 4.4, silent: false };
  const far = { codec: "PCMU", mode: "relay", received: 100, lost: 0, held: false, away: false };

  test("is that of the worse side: what is lost on the other leg is not heard here", () => {
    assert.equal(verdictOf(near, far).grade, "good");
    assert.equal(verdictOf(near, { ...far, lossIn: 10 }).grade, verdictOf({ ...near, lossIn: 10 }, far).grade);
    assert.notEqual(verdictOf(near, { ...far, lossIn: 10 }).grade, "good");
    assert.notEqual(verdictOf(near, { ...far, lossOut: 10 }).grade, "good");
    assert.equal(verdictOf(near, { ...far, lossIn: 40 }).grade, "poor");
    // A good leg does not make up for a bad one, whichever it is.
    assert.ok(verdictOf({ ...near, lossIn: 5 }, { ...far, lossIn: 5 }).mos < verdictOf({ ...near, lossIn: 5 }, far).mos);
    assert.ok(verdictOf(near, { ...far, roundTripMs: 600 }).mos < 4);
  });
});

describe("what the gateway tells", () => {
  const leg = (role: string, codec: string) => ({
    role,
    codec_received: codec,
    codec_sent: codec,
    mode: "transcode",
    packets_received: 99,
    lost: 1,
    jitter_ms: 1.5,
    round_trip_ms: 0,
    buffer_ms: 20,
    loss_reported: 0,
    mos: 4.2,
    held: false,
    away: false,
  });

  test("is read for the leg that is not ours", () => {
    const answer = { legs: [leg("caller", "opus"), leg("callee", "PCMU")] };
    assert.deepEqual(farQuality(answer, "out"), {
      codec: "PCMU",
      mode: "transcode",
      received: 99,
      lost: 1,
      lossIn: 1,
      lossOut: 0,
      jitterMs: 1.5,
      roundTripMs: undefined,
      mos: meanOpinion(1, 1.5, 0),
      held: false,
      away: false,
    });
    assert.equal(farQuality(answer, "in")?.codec, "opus");
  });

  test("counts loss since an earlier answer, and anew where another party took the place", () => {
    const with_ = (packets_received: number, lost: number) => ({ legs: [{ ...leg("callee", "PCMU"), packets_received, lost }] });
    const before = farQuality(with_(1000, 0), "out");
    assert.equal(farQuality(with_(1045, 5), "out", before)?.lossIn, 10);
    assert.equal(farQuality(with_(1000, 0), "out", before)?.lossIn, undefined);
    assert.equal(farQuality(with_(75, 25), "out", before)?.lossIn, 25);
  });

  test("says who holds and who is away", () => {
    const answer = { legs: [{ ...leg("callee", "PCMU"), held: true, away: true }] };
    const far = farQuality(answer, "out");
    assert.equal(far?.held && far.away, true);
  });

  test("says when there is no other leg", () => {
    const answer = { legs: [{ ...leg("caller", "opus"), mode: "application" }] };
    const far = { codec: "", mode: "application", received: 0, lost: 0, held: false, away: false };
    assert.deepEqual(farQuality(answer, "out"), far);
  });

  test("may be anything", () => {
    for (const answer of [null, {}, { legs: 3 }, { legs: [] }, "x"]) assert.equal(farQuality(answer, "out"), undefined);
  });
});
