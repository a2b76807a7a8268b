import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { digitOfInfo, infoDigitBody, NO_ROUTE, statusOfFragment } from "../src/phone/phone";
import { microphoneTrouble, outcomeOf, standingOf } from "../src/words";

describe("how a call ended", () => {
  const out = (code: number) => outcomeOf({ by: "them", code }, "77", "out", false);

  test("each refusal has words of its own", () => {
    assert.match(out(404).sentence, /No such number: 77/);
    assert.match(out(486).sentence, /busy/);
    assert.match(out(408).sentence, /did not answer/);
    assert.match(out(480).sentence, /cannot be reached/);
    assert.match(out(603).sentence, /declined/);
    assert.match(out(403).sentence, /not allowed to call/);
    assert.match(out(488).sentence, /no audio codec in common/);
    assert.match(out(500).sentence, /500/);
  });

  test("what the person did needs no words", () => {
    assert.deepEqual(outcomeOf({ by: "us" }, "77", "out", false), { short: "cancelled", sentence: "" });
    assert.deepEqual(outcomeOf({ by: "us" }, "77", "in", false), { short: "declined", sentence: "" });
    assert.deepEqual(outcomeOf({ by: "them" }, "77", "out", true), { short: "", sentence: "" });
  });

  test("a call that nobody took is missed, unless it was taken elsewhere", () => {
    assert.equal(outcomeOf({ by: "them", code: 487 }, "77", "in", false).short, "missed");
    const reason = 'SIP;cause=200;text="Call completed elsewhere"';
    assert.equal(outcomeOf({ by: "them", code: 487, reason }, "77", "in", false).sentence, "");
    const declined = 'SIP;cause=603;text="Declined elsewhere"';
    assert.deepEqual(outcomeOf({ by: "them", code: 487, reason: declined }, "77", "in", false), {
      short: "declined",
      sentence: "",
    });
  });

  test("a gateway that is gone is named as the cause", () => {
    assert.match(outcomeOf({ by: "network" }, "77", "out", false).sentence, /gateway is not responding/);
    assert.match(outcomeOf({ by: "network" }, "77", "out", true).sentence, /gateway was lost/);
  });
});

test("a party that is gone without hanging up, and a browser without a network, have words of their own", () => {
  const reason = 'SIP;cause=480;text="Connection of the other side lost"';
  assert.match(outcomeOf({ by: "them", reason }, "77", "out", true).sentence, /77 lost the connection/);
  assert.equal(outcomeOf({ by: "us", reason }, "77", "out", true).sentence, "");
  for (const answered of [false, true]) {
    assert.match(outcomeOf({ by: "network", reason: NO_ROUTE }, "77", "out", answered).sentence, /no network/);
  }
});

test("a refused microphone is told from a missing one", () => {
  const named = (name: string) => Object.assign(new Error(), { name });
  assert.match(microphoneTrouble(named("NotAllowedError")).sentence, /blocked/);
  assert.match(microphoneTrouble(named("NotFoundError")).sentence, /No microphone/);
  assert.match(microphoneTrouble(named("InsecureContext")).sentence, /https/);
  assert.match(microphoneTrouble("?").sentence, /could not be opened/);
});

test("standing with the gateway", () => {
  assert.equal(standingOf({ state: "registered" }, "1001").label, "Ready as 1001");
  assert.equal(standingOf({ state: "refused", code: 401, reason: "" }, "1001").label, "Wrong password");
  assert.match(standingOf({ state: "refused", code: 500, reason: "Oops" }, "1001").sentence, /500 Oops/);
  assert.match(standingOf({ state: "offline" }, "1001").sentence, /cannot be reached/);
});

test("digits in INFO, as we write them and as others do", () => {
  assert.equal(digitOfInfo(infoDigitBody("#")), "#");
  assert.equal(digitOfInfo("Duration=250\nSignal= 5\n"), "5");
  assert.equal(digitOfInfo("Signal=xyz"), undefined);
});

test("how a transfer goes on", () => {
  assert.equal(statusOfFragment("SIP/2.0 180 Ringing\r\n"), 180);
  assert.equal(statusOfFragment("SIP/2.0 200 OK"), 200);
  assert.equal(statusOfFragment("hello"), undefined);
});
