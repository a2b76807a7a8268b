// The applications of the gateway, from unmodified JsSIP and SIP.js in both browsers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dbOfDbm0 } from "../lib/heard.mjs";
import { assertTone, BROWSER_TONE, everyClient } from "../lib/scene.mjs";
import { measureTone } from "../lib/tone.mjs";

everyClient(({ stage, kind, library }) => {
  for (const codec of ["opus", "PCMU"]) {
    test(
      `echo returns the tone, ${codec}`,
      stage.play(async ({ client }) => {
        const page = await client(kind, { library, codec });
        const call = await page.call("9196");
        await call.reaches("up");
        assertTone(await call.hears(BROWSER_TONE), BROWSER_TONE);
        const stats = await call.stats();
        assert.equal(stats.codecIn.toLowerCase(), codec.toLowerCase());
        assert.equal(stats.codecOut.toLowerCase(), codec.toLowerCase());
        assert.equal((await call.hangUp()).by, "local");
      }),
    );
  }

  test(
    "9197 is a steady tone of 1004 Hz at -10 dBm0",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library });
      const call = await page.call("9197");
      await call.reaches("up");
      assertTone(await call.hears(1004), 1004, { level: dbOfDbm0(-10) });
      await call.hangUp();
    }),
  );

  test(
    "9664 plays something, and no single tone",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library });
      const call = await page.call("9664");
      await call.reaches("up");
      const { samples, rate } = await call.listen(4);
      const loud = samples.filter((sample) => Math.abs(sample) > 0.01).length / samples.length;
      assert.ok(loud > 0.2, `${loud} of the samples are loud`);
      assert.ok(measureTone(samples, rate, BROWSER_TONE).purity < 0.5);
      await call.hangUp();
    }),
  );
});
