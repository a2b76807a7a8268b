import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { farQuality, meanOpinion, qualityBetween, readSample } from "../src/quality";

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
      qualityBetween(sample, { ...sample, packetsReceived, packetsLost }).grade;
    assert.equal(grade(1000, 0), "good");
    assert.equal(grade(940, 60), "fair");
    assert.equal(grade(700, 300), "poor");
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
    mos: 4.2,
  });

  test("is read for the leg that is not ours", () => {
    const answer = { legs: [leg("caller", "opus"), leg("callee", "PCMU")] };
    assert.deepEqual(farQuality(answer, "out"), {
      codec: "PCMU",
      mode: "transcode",
      lossIn: 1,
      jitterMs: 1.5,
      roundTripMs: undefined,
      mos: 4.2,
    });
    assert.equal(farQuality(answer, "in")?.codec, "opus");
  });

  test("says when there is no other leg", () => {
    const answer = { legs: [{ ...leg("caller", "opus"), mode: "application" }] };
    assert.deepEqual(farQuality(answer, "out"), { codec: "", mode: "application" });
  });

  test("may be anything", () => {
    for (const answer of [null, {}, { legs: 3 }, { legs: [] }, "x"]) assert.equal(farQuality(answer, "out"), undefined);
  });
});
