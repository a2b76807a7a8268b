// What is lost in the middle of a call: the tab, and the WebSocket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { heard } from "../lib/lateness.mjs";
import { cutWire } from "../lib/relay.mjs";
import { assertTones, BROWSER_TONE, everyClient, PHONE_TONE } from "../lib/scene.mjs";
import { measureTone } from "../lib/tone.mjs";
import { until } from "../lib/wait.mjs";

everyClient(({ stage, kind, library }) => {
  test(
    "the tab is closed: the phone gets BYE within 16 s",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await there.hears(BROWSER_TONE, { seconds: 1 });
      await page.close();
      const closed = performance.now();
      await there.reaches("over", 16_000);
      assert.equal(there.by, "them");
      assert.ok(there.times.over - closed < 16_000);
    }),
  );

  test(
    "the WebSocket is cut and found again without a gap in the sound",
    stage.play(async ({ gateway, client, phone, cleanup }) => {
      const wire = await cutWire(gateway.httpPort);
      cleanup.add(() => wire.close());
      const far = await phone("1003");
      const page = await client(kind, { library, server: `ws://127.0.0.1:${wire.port}/ws`, gateway: undefined });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await assertTones(
        [
          [there, BROWSER_TONE],
          [call, PHONE_TONE],
        ],
        { listen: { seconds: 1 } },
      );

      await call.forget();
      there.forget();
      wire.cut();
      await until("the page knows", async () => (await page.get("disconnects")) >= 1);
      // Both go on while there is no signalling.
      const before = there.rtp.packets.length;
      await until("two seconds without a WebSocket", () => there.rtp.packets.length > before + 100);
      wire.mend();
      await until("connected again", async () => (await page.get("connects")) >= 2, 15_000);
      await page.registration("registered");
      const after = there.rtp.packets.length;
      await until("a second more", () => there.rtp.packets.length > after + 50);

      const heardThere = measureTone(there.rtp.samples().samples, 8000, BROWSER_TONE);
      heard(() => {
        assert.ok(heardThere.longestGap <= 60, JSON.stringify(heardThere));
        assert.ok(heardThere.seconds > 3, JSON.stringify(heardThere));
        assert.ok(there.rtp.longestPause() < 200, `${there.rtp.longestPause()} ms without a packet`);
      });
      const { samples, rate } = await call.samples();
      const heardHere = measureTone(samples, rate, PHONE_TONE);
      heard(() => assert.ok(heardHere.longestGap <= 60, JSON.stringify(heardHere)));

      // The dialog has moved to the new connection: requests reach the page both ways.
      await call.do("hold");
      await call.do("resume");
      await there.hears(BROWSER_TONE, { seconds: 1 });
      await there.hangUp();
      assert.equal((await call.reaches("over")).by, "remote");
    }),
  );
});
