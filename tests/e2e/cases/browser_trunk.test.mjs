// A browser and a carrier (sipp), in both directions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { freePort } from "../lib/process.mjs";
import { assertTone, BROWSER_TONE, scene } from "../lib/scene.mjs";
import { called, caller, Sipp, sdp, step } from "../lib/sipp.mjs";

const TRUNK_TONE = 700;
const carrier = { ip: "127.0.0.2", port: await freePort("127.0.0.2") };
const stage = scene({
  config: `
[[users]]
name = "1001"
password = "cordboard"
[[users]]
name = "sue"
password = "cordboard"
roles = ["supervisor"]
[[trunks]]
name = "carrier"
address = "${carrier.ip}:${carrier.port}"
codecs = "pcmu"
[[dial]]
match = "0(.)"
rewrite = "$1"
trunk = "carrier"
[[dial]]
from = "carrier"
match = "XXXX"
user = true
`,
});

test(
  "a browser calls out, Opus here and PCMU there",
  stage.play(async ({ client, cleanup }) => {
    const end = await RtpEnd.open(cleanup, carrier.ip);
    const sipp = await Sipp.called(cleanup, {
      ...carrier,
      steps: [
        called.invite({ matches: [{ regexp: "INVITE sip:301234@" }] }),
        called.ring(180),
        called.answer(sdp(end)),
        step.expect("BYE"),
      ],
    });
    const page = await client("chromium", { codec: "opus" });
    const call = await page.call("0301234");
    await call.reaches("up");
    end.play(TRUNK_TONE);
    assertTone(await call.hears(TRUNK_TONE), TRUNK_TONE);
    await end.hears(BROWSER_TONE, 2);
    assertTone(end.measure(BROWSER_TONE, 25), BROWSER_TONE);
    await call.hangUp();
    await sipp.succeeds();
  }),
);

/** What `find` finds, which is there within 100 ms. */
async function soon(what, find) {
  const began = performance.now();
  for (;;) {
    const found = await find();
    const took = performance.now() - began;
    if (found) {
      assert.ok(took < 100, `${what} after ${took} ms`);
      return found;
    }
    assert.ok(took < 1_000, `${what} is not there`);
  }
}

test(
  "a supervisor sees a call of a browser while it lasts, and its record, with both legs",
  stage.play(async ({ gateway, client, cleanup }) => {
    const sue = await Api.signIn(gateway, "sue");
    const end = await RtpEnd.open(cleanup, carrier.ip);
    const sipp = await Sipp.called(cleanup, {
      ...carrier,
      steps: [called.invite(), called.ring(180), called.answer(sdp(end)), step.expect("BYE")],
    });
    const page = await client("chromium", { codec: "opus" });
    const call = await page.call("0301234");
    await call.reaches("up");
    const live = await soon("the call", async () =>
      (await sue.ask("GET", "/calls")).items.find(({ state }) => state === "talking"),
    );
    assert.deepEqual(
      live.legs.map((leg) => [leg.number, leg.trunk, leg.direction, leg.browser, leg.state]),
      [
        ["1001", null, "incoming", true, "up"],
        ["301234", "carrier", "outgoing", false, "up"],
      ],
    );
    assert.deepEqual([live.kind, live.queue, live.from.number, live.to], ["outbound", null, "1001", "0301234"]);
    const metrics = await (await fetch(new URL("/metrics", gateway.page))).text();
    assert.match(metrics, /^cordboard_calls_active 1$/m);
    end.play(TRUNK_TONE);
    await end.hears(BROWSER_TONE, 2);
    await call.hangUp();
    const record = await soon("the record", async () =>
      (await sue.ask("GET", "/records")).items.find(({ call }) => call === live.id),
    );
    assert.deepEqual([record.kind, record.code, record.hung_up_by], ["outbound", 200, "caller"]);
    assert.deepEqual(
      record.legs.map(({ media, end }) => [media.codec_received, media.codec_sent, media.lost, end.by, end.code]),
      [
        ["opus", "opus", 0, "peer", 200],
        ["PCMU", "PCMU", 0, "gateway", 200],
      ],
    );
    for (const { media } of record.legs) assert.ok(media.packets_received > 50 && media.mos > 3.5, JSON.stringify(media));
    assert.deepEqual((await sue.ask("GET", "/calls")).items, []);
    await sipp.succeeds();
  }),
);

test(
  "a carrier calls a browser",
  stage.play(async ({ gateway, client, cleanup }) => {
    const end = await RtpEnd.open(cleanup, carrier.ip);
    const page = await client("chromium", { codec: "opus" });
    const sipp = Sipp.call(cleanup, gateway, {
      ...carrier,
      number: "1001",
      steps: [caller.call(sdp(end)), caller.expectAnswer(), step.expect("BYE")],
    });
    const call = await page.incoming();
    await call.reaches("up");
    assert.equal((await call.summary()).from.user, "+4917012345");
    end.play(TRUNK_TONE, { remote: await sipp.media() });
    assertTone(await call.hears(TRUNK_TONE), TRUNK_TONE);
    await end.hears(BROWSER_TONE, 2);
    assertTone(end.measure(BROWSER_TONE, 25), BROWSER_TONE);
    await call.hangUp();
    await sipp.succeeds();
  }),
);

test(
  "the carrier is busy",
  stage.play(async ({ client, cleanup }) => {
    const sipp = await Sipp.called(cleanup, { ...carrier, steps: [called.invite(), called.refuse(486)] });
    const page = await client();
    const call = await page.call("0301234");
    assert.equal((await call.reaches("over")).code, 486);
    await sipp.succeeds();
  }),
);

test(
  "the browser gives up while the carrier rings",
  stage.play(async ({ client, cleanup }) => {
    const sipp = await Sipp.called(cleanup, { ...carrier, steps: [called.invite(), called.ring(180), called.cancelled()] });
    const page = await client();
    const call = await page.call("0301234");
    await call.reaches("ringing");
    await call.hangUp();
    await sipp.succeeds();
  }),
);

test(
  "the carrier gives up while the browser rings",
  stage.play(async ({ gateway, client, cleanup }) => {
    const page = await client("chromium", { answer: "ring" });
    const sipp = Sipp.call(cleanup, gateway, {
      ...carrier,
      number: "1001",
      steps: [caller.call(sdp({ ...carrier, port: await freePort(carrier.ip) })), caller.expectRinging(), caller.cancel()],
    });
    const call = await page.incoming();
    assert.equal((await call.reaches("over")).by, "remote");
    await sipp.succeeds();
  }),
);
