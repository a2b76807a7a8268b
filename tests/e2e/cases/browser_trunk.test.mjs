// A browser and a carrier (sipp), in both directions.
import assert from "node:assert/strict";
import { test } from "node:test";
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
