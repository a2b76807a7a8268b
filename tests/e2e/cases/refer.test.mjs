// Transfers that clients ask for by REFER, as JsSIP and SIP.js send it: blind and attended, done and failed, and by an agent.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { assertTones, BROWSER_TONE, LIBRARIES, PHONE_TONE, scene } from "../lib/scene.mjs";
import { measureTone } from "../lib/tone.mjs";
import { until } from "../lib/wait.mjs";

/** What a third party says. */
const THIRD_TONE = 700;
const uri = (number) => `sip:${number}@127.0.0.1`;

for (const library of LIBRARIES) {
  describe(`chromium, ${library}`, () => {
    const stage = scene();
    /** A page that may call 1004 beside the one that it talks with. */
    const talking = async ({ client, phone }, user = "1001") => {
      const [far, third] = [await phone("1003"), await phone("1004")];
      const page = await client("chromium", { user, library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await there.hears(BROWSER_TONE, { seconds: 1 });
      return { far, third, page, call, there };
    };
    const told = async (call, last) => {
      let seen;
      await until(
        `${last} is told`,
        async () => {
          seen = (await call.summary()).told;
          return seen.at(-1) === last;
        },
        15_000,
      ).catch((error) => assert.fail(`${error.message}: ${seen}`));
      return seen;
    };
    /** Two phones hear each other: one says 440 Hz, the other 700. */
    const joined = async (one, other) => {
      other.rtp.play(THIRD_TONE);
      await assertTones([
        [one, THIRD_TONE],
        [other, PHONE_TONE],
      ]);
    };

    test(
      "blind: music while it rings, then the two hear each other and the page is out",
      stage.play(async (hands) => {
        const { third, call, there } = await talking(hands);
        third.behaviour = "ring";
        await call.do("refer", uri("1004"));
        const asked = await third.incoming();
        await told(call, 180);
        let purity;
        await until("the tone is gone", async () => {
          there.forget();
          await until("a second of sound", () => there.rtp.samples().samples.length >= 8_000);
          purity = measureTone(there.rtp.samples().samples, 8_000, BROWSER_TONE).purity;
          return purity < 0.2;
        });
        assert.ok(
          there.rtp.samples().samples.some((sample) => Math.abs(sample) > 0.02),
          "music",
        );
        asked.answer();
        await asked.reaches("up");
        assert.deepEqual(await told(call, 200), [100, 180, 200]);
        assert.equal((await call.reaches("over")).by, "remote");
        await joined(there, asked);
        await there.hangUp();
        await asked.reaches("over");
      }),
    );

    test(
      "blind to somebody busy, to nobody and to no number: told why, and back in the call",
      stage.play(async (hands) => {
        const { third, call, there } = await talking(hands);
        third.behaviour = 486;
        for (const [number, code] of [
          ["1004", 486],
          ["77", 404],
          ["1002", 480],
        ]) {
          await call.do("refer", uri(number));
          await told(call, code);
          await assertTones([
            [there, BROWSER_TONE],
            [call, PHONE_TONE],
          ]);
        }
        await call.hangUp();
        await there.reaches("over");
      }),
    );

    test(
      "attended: the two parties hear each other, both calls of the page end",
      stage.play(async (hands) => {
        const { third, page, call, there } = await talking(hands);
        await call.do("hold");
        const second = await page.call("1004");
        await second.reaches("up");
        const asked = await (await third.incoming()).reaches("up");
        await asked.hears(BROWSER_TONE, { seconds: 1 });
        await call.do("refer", uri("1004"), second.index);
        assert.deepEqual(await told(call, 200), [100, 200]);
        await call.reaches("over");
        await second.reaches("over");
        await joined(there, asked);
        await asked.hangUp();
        await there.reaches("over");
      }),
    );

    test(
      "attended to a caller: the replaced call is one that came in",
      stage.play(async (hands) => {
        const { third, page, call, there } = await talking(hands);
        const asked = await third.call("1001");
        const second = await page.incoming();
        await second.reaches("up");
        await asked.reaches("up");
        await asked.hears(BROWSER_TONE, { seconds: 1 });
        await call.do("refer", uri("1004"), second.index);
        await told(call, 200);
        await call.reaches("over");
        await second.reaches("over");
        await joined(there, asked);
        await asked.hangUp();
        await there.reaches("over");
      }),
    );

    test(
      "a phone transfers its caller to the page",
      stage.play(async ({ client, phone }) => {
        const [far, other] = [await phone("1003"), await phone("1004")];
        const page = await client("chromium", { library });
        const there = await other.call("1003");
        const asks = await (await far.incoming()).reaches("up");
        await there.reaches("up");
        const refer = [
          ["Contact", far.contact],
          ["Refer-To", `<${uri("1001")}>`],
        ];
        assert.equal((await far.request("REFER", asks.target, asks, refer)).status, 202);
        const call = await page.incoming();
        await call.reaches("up");
        assert.equal((await call.summary()).from.user, "1004");
        await asks.reaches("over");
        assert.equal(asks.by, "them");
        await assertTones([
          [call, PHONE_TONE],
          [there, BROWSER_TONE],
        ]);
        await there.hangUp();
        await call.reaches("over");
      }),
    );

    test(
      "an agent transfers a caller of the queue, blind and after asking",
      stage.play(async (hands) => {
        const { gateway, client, phone } = hands;
        const anna = await Api.signIn(gateway, "anna");
        const [caller, third] = [await phone("1003"), await phone("1004")];
        const page = await client("chromium", { user: "anna", library });
        for (const [n, asks] of [false, true].entries()) {
          const there = await caller.call("9001");
          await there.reaches("up");
          await anna.available();
          const call = await page.incoming(n);
          await call.reaches("up");
          await anna.status("talking");
          await there.hears(BROWSER_TONE, { seconds: 1 });
          let second;
          if (asks) {
            await call.do("hold");
            second = await page.call("1004");
            await second.reaches("up");
          }
          await call.do("refer", uri("1004"), second?.index);
          const asked = await (await third.incoming(n)).reaches("up");
          assert.deepEqual(await told(call, 200), [100, 200]);
          await call.reaches("over");
          await second?.reaches("over");
          await joined(there, asked);
          await anna.status("wrap-up");
          await there.hangUp();
          await asked.reaches("over");
          await anna.ask("PUT", "/me/agent/intent", { intent: "available" });
          await anna.ask("PUT", "/me/agent/intent", { intent: "offline" });
        }
      }),
    );
  });
}
