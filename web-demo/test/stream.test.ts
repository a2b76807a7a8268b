import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createApi } from "../src/centre/api";
import { Stream } from "../src/centre/stream";
import { settled, Wire } from "./lib/browser";

/** A gateway that is not reached answers nothing at all. */
let reached = true;

const fetch = () =>
  reached
    ? Promise.resolve(new Response(JSON.stringify({ ticket: "t" }), { status: 200 }))
    : new Promise<Response>(() => undefined);
const tokens = { access: "a", accessUntil: Number.MAX_SAFE_INTEGER, refresh: "r", user: { id: "usr_anna" } };

const wait = async (ms: number) => {
  for (let left = ms; left > 0; left -= 100) {
    mock.timers.tick(Math.min(100, left));
    await settled();
  }
};

describe("the event stream", () => {
  let stream: Stream;
  beforeEach(async () => {
    reached = true;
    Wire.made = [];
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    stream = new Stream("tab", createApi(fetch, { read: () => tokens as never, write() {} }).ask, {
      step() {},
      refused: () => assert.fail("refused"),
    });
    stream.start();
    await settled();
    live();
  });
  afterEach(() => {
    stream.stop();
    mock.timers.reset();
  });
  const live = () => {
    const wire = Wire.made.at(-1);
    wire?.onopen?.();
    wire?.say({ type: "snapshot", seq: 1, time: new Date().toISOString(), data: {} });
    assert.equal(stream.state.value, "live");
  };

  test("is lost after one ping that did not come, and is so until events come again", async () => {
    await wait(7_000);
    Wire.made.at(-1)?.say({ op: "ping", n: 1 });
    await wait(7_900);
    assert.deepEqual([stream.state.value, stream.lost.value], ["live", false]);
    reached = false;
    await wait(200);
    assert.deepEqual([stream.state.value, stream.lost.value], ["waiting", true]);
    assert.ok((stream.again.value ?? 0) > Date.now());
    await wait(1_000);
    assert.deepEqual([stream.state.value, stream.lost.value, stream.again.value], ["connecting", true, undefined]);
    await wait(2_450);
    assert.equal(stream.state.value, "waiting", "the attempt is abandoned");
    reached = true;
    await wait(2_000);
    assert.deepEqual([stream.state.value, stream.lost.value], ["connecting", true], "not live before its events are here");
    live();
    assert.equal(stream.lost.value, false);
  });

  test("who wants it tried now does not wait for an attempt that hangs", async () => {
    reached = false;
    Wire.made.at(-1)?.onclose?.({ code: 1006 });
    await wait(1_000);
    assert.equal(stream.state.value, "connecting");
    const before = Wire.made.length;
    reached = true;
    stream.retry();
    await settled();
    assert.equal(Wire.made.length, before + 1);
    live();
  });

  test("gives a slow network more time with each attempt", async () => {
    reached = false;
    Wire.made.at(-1)?.onclose?.({ code: 1006 });
    let longest = 0;
    let connecting = 0;
    for (let n = 0; n < 900; n += 1) {
      await wait(100);
      connecting = stream.state.value === "connecting" ? connecting + 100 : 0;
      longest = Math.max(longest, connecting);
    }
    assert.ok(longest > 11_000 && longest <= 12_100, String(longest));
  });
});
