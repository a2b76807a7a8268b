// A browser and a phone that others wrote: baresip, registered.
import { test } from "node:test";
import { Baresip } from "../lib/baresip.mjs";
import { toneIn } from "../lib/heard.mjs";
import { assertTone, BROWSER_TONE, scene } from "../lib/scene.mjs";

const THEIRS = 600;
const stage = scene();

/** The end of what it recorded: buffers find their depth in the first moments of a call. */
function lately(phone) {
  const { samples, rate } = phone.heard();
  return toneIn(samples.subarray(-Math.round(1.5 * rate)), rate, BROWSER_TONE);
}

test(
  "a browser calls baresip",
  stage.play(async ({ gateway, client, cleanup }) => {
    const phone = await Baresip.start(cleanup, gateway, { user: "1003", password: "cordboard", tone: THEIRS });
    const page = await client("chromium", { codec: "opus" });
    const call = await page.call("1003");
    await phone.event("CALL_INCOMING");
    await phone.command("accept");
    await call.reaches("up");
    assertTone(await call.hears(THEIRS), THEIRS);
    await phone.hears(BROWSER_TONE, 2);
    await call.hangUp();
    await phone.event("CALL_CLOSED");
    assertTone(lately(phone), BROWSER_TONE);
  }),
);

test(
  "baresip calls a browser",
  stage.play(async ({ gateway, client, cleanup }) => {
    const phone = await Baresip.start(cleanup, gateway, { user: "1003", password: "cordboard", tone: THEIRS });
    const page = await client("chromium", { codec: "opus" });
    await phone.command("dial", "1001");
    const call = await page.incoming();
    await call.reaches("up");
    await phone.event("CALL_ESTABLISHED");
    assertTone(await call.hears(THEIRS), THEIRS);
    await phone.hears(BROWSER_TONE, 2);
    await phone.command("hangup");
    await call.reaches("over");
    assertTone(lately(phone), BROWSER_TONE);
  }),
);
