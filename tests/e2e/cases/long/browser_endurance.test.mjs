// Calls that last, and many of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertTone, BROWSER_TONE, everyClient, PHONE_TONE, scene } from "../../lib/scene.mjs";
import { until } from "../../lib/wait.mjs";

everyClient(({ stage, kind, library }) => {
  // JsSIP refreshes every 45 s, and hangs up where that fails.
  test(
    "a call outlasts four session refreshes, and sounds as on its first day",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library, codec: "opus" });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      const begun = performance.now();
      while (performance.now() - begun < 200_000) {
        assertTone(await call.hears(PHONE_TONE, { seconds: 5 }), PHONE_TONE);
        assertTone(await there.hears(BROWSER_TONE, { seconds: 5 }), BROWSER_TONE);
      }
      assert.equal((await call.hangUp()).by, "local");
    }),
  );
});

const stage = scene();

test(
  "500 calls to the demo phone leave nothing behind",
  stage.play(async ({ gateway, client }) => {
    const page = await client("chromium", { codec: "opus" });
    const one = async () => {
      const call = await page.call("2000");
      await call.reaches("up");
      await until("audio", async () => (await call.summary()).times.packet !== undefined);
      await call.hangUp();
    };
    for (let n = 0; n < 50; n++) await one();
    const idle = gateway.resources();
    for (let n = 0; n < 450; n++) await one();
    const end = await until(
      "sockets are released",
      () => {
        const now = gateway.resources();
        return now.descriptors <= idle.descriptors && now;
      },
      40_000,
      250,
    );
    assert.ok(end.memory - idle.memory < 4096, `${idle.memory} kB after 50 calls, ${end.memory} kB after 500`);
  }),
);
