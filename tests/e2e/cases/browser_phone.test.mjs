// Browser and phone: Opus forced in the browser, PCMU only at the phone, both directions and all that happens in a call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { heard } from "../lib/lateness.mjs";
import { assertTone, assertTones, BROWSER_TONE, everyClient, PHONE_TONE } from "../lib/scene.mjs";
import { digitsIn, measureTone } from "../lib/tone.mjs";
import { until } from "../lib/wait.mjs";

everyClient(({ stage, kind, library }) => {
  test(
    "browser calls phone: Opus here, PCMU there, both tones arrive as loud as they were sent",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library, codec: "opus" });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await assertTones(
        [
          [call, PHONE_TONE],
          [there, BROWSER_TONE],
        ],
        { tolerance: 0.42 },
      );
      const stats = await call.stats();
      assert.equal(stats.codecIn.toLowerCase(), "opus");
      assert.equal(stats.codecOut.toLowerCase(), "opus");
      assert.ok(there.rtp.packets.every(({ type }) => type === 0));
      await call.hangUp();
      await there.reaches("over");
      assert.equal(there.by, "them");
    }),
  );

  test(
    "PCMU on both sides is relayed",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library, codec: "PCMU" });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await assertTones([
        [call, PHONE_TONE],
        [there, BROWSER_TONE],
      ]);
      await there.hangUp();
      assert.equal((await call.reaches("over")).by, "remote");
    }),
  );

  test(
    "phone calls browser",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library, codec: "opus" });
      const there = await far.call("1001");
      const call = await page.incoming();
      await call.reaches("up");
      await there.reaches("up");
      assert.equal((await call.summary()).from.user, "1003");
      await assertTones([
        [call, PHONE_TONE],
        [there, BROWSER_TONE],
      ]);
      await there.hangUp();
      assert.equal((await call.reaches("over")).by, "remote");
    }),
  );

  test(
    "the browser holds and resumes",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await there.hears(BROWSER_TONE, { seconds: 1 });

      await call.do("hold");
      // Held: the phone hears music, not the browser; the browser does not hear the phone.
      await until("the tone is gone at the phone", async () => {
        there.forget();
        await until("a second of sound", () => there.rtp.samples().samples.length >= 8000);
        return measureTone(there.rtp.samples().samples, 8000, BROWSER_TONE).purity < 0.2;
      });
      const here = await call.listen(1, 500);
      assert.ok(here.samples.length === 0 || measureTone(here.samples, here.rate, PHONE_TONE).db < -50);

      await call.do("resume");
      await assertTones([
        [call, PHONE_TONE],
        [there, BROWSER_TONE],
      ]);
      await call.hangUp();
    }),
  );

  test(
    "the phone holds and resumes",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await call.hears(PHONE_TONE, { seconds: 1 });

      assert.equal((await there.reInviteWith("inactive")).status, 200);
      assert.equal(there.lastDescription.direction, "inactive");
      await until("the phone is no longer heard", async () => {
        const { samples, rate } = await call.listen(0.6);
        return measureTone(samples, rate, PHONE_TONE).db < -50 || measureTone(samples, rate, PHONE_TONE).purity < 0.2;
      });
      assert.equal((await there.reInviteWith("sendrecv")).status, 200);
      await assertTones([
        [call, PHONE_TONE],
        [there, BROWSER_TONE],
      ]);
      await call.hangUp();
    }),
  );

  test(
    "DTMF from the browser: in the audio, and by INFO",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await there.hears(BROWSER_TONE, { seconds: 1 });
      await call.do("dtmf", "159#");
      await heard(() =>
        until("159#", () => there.digits === "159#").catch((error) => assert.fail(`${error.message}: ${there.digits}`)),
      );
      await call.do("info", "42");
      await until("42", () => there.digits === "159#42").catch((error) => assert.fail(`${error.message}: ${there.digits}`));
      // The tone goes on after the digits.
      assertTone(await there.hears(BROWSER_TONE), BROWSER_TONE);
      await call.hangUp();
    }),
  );

  test(
    "DTMF from the phone",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("up");
      const there = await (await far.incoming()).reaches("up");
      await call.hears(PHONE_TONE, { seconds: 1 });
      await call.forget();
      there.rtp.play(PHONE_TONE, { amplitude: 0 });
      await there.dial("7*3");
      // A page is told by INFO, or hears the two tones that its browser makes of RFC 4733.
      let seen;
      await heard(() =>
        until(
          "7*3",
          async () => {
            const { samples, rate } = await call.samples();
            seen = [(await call.summary()).digits, digitsIn(samples, rate)];
            return seen.includes("7*3");
          },
          10_000,
          300,
        ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(seen)}`)),
      );
      await call.hangUp();
    }),
  );

  test(
    "the browser gives up while it rings",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      far.behaviour = "ring";
      const page = await client(kind, { library });
      const call = await page.call("1003");
      await call.reaches("ringing");
      const there = await far.incoming();
      assert.equal((await call.hangUp()).by, "local");
      await there.reaches("over");
      assert.deepEqual([there.by, there.code], ["them", 487]);
    }),
  );

  test(
    "the phone gives up while the browser rings",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      const page = await client(kind, { library, answer: "ring" });
      const there = await far.call("1001");
      const call = await page.incoming();
      await there.reaches("ringing");
      await there.hangUp();
      assert.equal((await call.reaches("over")).by, "remote");
      await there.reaches("over");
      assert.equal(there.code, 487);
    }),
  );

  test(
    "the phone is busy",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      far.behaviour = 486;
      const page = await client(kind, { library });
      const call = await page.call("1003");
      assert.equal((await call.reaches("over")).code, 486);
    }),
  );

  test(
    "the browser is busy",
    stage.play(async ({ client, phone }) => {
      const far = await phone("1003");
      await client(kind, { library, answer: 486 });
      const there = await far.call("1001");
      await there.reaches("over");
      assert.equal(there.code, 486);
    }),
  );

  test(
    "a number that nobody has",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library });
      for (const number of ["77", "nobody"]) {
        const call = await page.call(number);
        assert.equal((await call.reaches("over")).code, 404);
      }
    }),
  );

  test(
    "a user who is not there",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library });
      const call = await page.call("1004");
      assert.equal((await call.reaches("over")).code, 480);
    }),
  );

  test(
    "the built-in demo phone rings, answers and plays back",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library, codec: "opus" });
      const call = await page.call("2000");
      await call.reaches("up");
      assertTone(await call.hears(BROWSER_TONE), BROWSER_TONE);
      assert.ok((await call.summary()).times.ring180 !== undefined);
      await call.hangUp();
    }),
  );

  test(
    "a wrong password is refused, and says so",
    stage.play(async ({ client }) => {
      const page = await client(kind, { library, password: "wrong", expect: "failed" });
      assert.ok([401, 403].includes(await page.get("refused")), `${await page.get("refused")}`);
    }),
  );
});
