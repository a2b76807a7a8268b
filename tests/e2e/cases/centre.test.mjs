// Agents in browser tabs take queued calls: pages on JsSIP and SIP.js as they are, callers who wait, and what is done with calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { assertTone, assertTones, BROWSER_TONE, everyClient, LEVEL, PHONE_TONE } from "../lib/scene.mjs";
import { measureTone } from "../lib/tone.mjs";
import { until } from "../lib/wait.mjs";

/** What a third party says. */
const THIRD_TONE = 700;
const SUPPORT = "9001";

/** Where somebody speaks in PCM of 8 kHz: from the first to the last rest of 30 ms, seconds; rests 2 s apart are of one. */
function stretchesOfSpeech(samples) {
  const block = 80;
  const quiet = (at) => samples.subarray(at, at + block).every((sample) => Math.abs(sample) < 0.003);
  const found = [];
  let run = 0;
  for (let at = 0; at + block <= samples.length; at += block) {
    run = quiet(at) ? run + 1 : 0;
    if (run < 3) continue;
    const [from, to] = [(at + block - run * block) / 8_000, (at + block) / 8_000];
    const last = found.at(-1);
    if (last && from - last.to < 2) last.to = to;
    else found.push({ from, to });
  }
  return found;
}

everyClient(({ stage, kind, library }) => {
  /** What the gateway does alone is looked at once in each browser and once with each library. */
  const once = (kind === "chromium") === (library === "jssip") ? test : () => {};
  /** Anna's page is registered and Anna wants calls; a caller waits. */
  const queued = async ({ gateway, client, phone, cleanup }) => {
    const anna = await Api.signIn(gateway, "anna");
    const caller = await phone("1003");
    const there = await caller.call(SUPPORT);
    await there.reaches("up");
    cleanup.add(() => there.hangUp().catch(() => undefined));
    const page = await client(kind, { user: "anna", library, codec: "opus" });
    return { anna, page, there, caller };
  };
  /** They talk. */
  const talking = async (hands) => {
    const scene = await queued(hands);
    await scene.anna.available();
    const call = await scene.page.incoming();
    await call.reaches("up");
    await scene.anna.status("talking");
    return { ...scene, call };
  };
  const back = async (anna) => {
    // Whoever wants calls is done with wrap-up: the next case finds the agent as the first did.
    await anna.ask("PUT", "/me/agent/intent", { intent: "available" });
    await anna.ask("PUT", "/me/agent/intent", { intent: "offline" });
  };

  test(
    "a caller waits with music, is taken, and both hear each other",
    stage.play(async (hands) => {
      const { anna, page, there } = await queued(hands);
      const sue = await Api.signIn(hands.gateway, "sue");
      const waiting = await sue.call("waiting");
      assert.deepEqual([waiting.from.number, waiting.queue.name, waiting.position], ["1003", "Support", 1]);
      there.forget();
      await until("a second of music", () => there.rtp.samples().samples.length >= 8_000);
      const music = there.rtp.samples().samples;
      assert.ok(
        music.some((sample) => Math.abs(sample) > 0.02),
        "the caller hears music",
      );
      await anna.available();
      const call = await page.incoming();
      await call.reaches("up");
      // One after the other: the record wants a call of some seconds.
      assertTone(await call.hears(PHONE_TONE), PHONE_TONE, { tolerance: 0.42 });
      assertTone(await there.hears(BROWSER_TONE), BROWSER_TONE, { tolerance: 0.42 });
      await anna.status("talking");
      await there.hangUp();
      await call.reaches("over");
      await anna.status("wrap-up");
      const [record] = (await sue.ask("GET", "/records")).items;
      assert.deepEqual([record.outcome, record.agents[0].id], ["completed", "usr_anna"]);
      assert.ok(record.talked_s > 4 && record.mos.caller > 4 && record.mos.agent > 3.5, JSON.stringify(record));
      await back(anna);
    }),
  );

  once(
    "callers who wait are told their place in between the music",
    stage.play(async ({ gateway, phone, cleanup }) => {
      const api = await Api.signIn(gateway, "sue");
      const [one, two] = [await phone("1003"), await phone("1004")];
      const heard = [];
      for (const caller of [one, two]) {
        const call = await caller.call(SUPPORT);
        await call.reaches("up");
        cleanup.add(() => call.hangUp().catch(() => undefined));
        heard.push(call);
      }
      let places;
      await until("both have their places", async () => {
        places = (await api.ask("GET", "/calls")).items.map(({ position }) => position).sort();
        return places.join() === "1,2";
      }).catch((error) => assert.fail(`${error.message}: ${places}`));
      await until("eight seconds of sound", () => heard.every((call) => call.rtp.samples().samples.length >= 64_000));
      // The tune never rests; whoever speaks does, between words and before each stop.
      const spoken = heard.map((call) => stretchesOfSpeech(call.rtp.samples().samples));
      for (const found of spoken) {
        assert.equal(found.length, 1, JSON.stringify(spoken));
        const [{ from, to }] = found;
        assert.ok(from > 1.5 && from < 3.5 && to < 7, JSON.stringify(spoken));
      }
      // "You are next in line" is shorter than "You are number two in line".
      const [next, second] = spoken.map(([{ from, to }]) => to - from);
      assert.ok(second > next + 0.05, JSON.stringify(spoken));
    }),
  );

  test(
    "the tab is reloaded in the call: music, and the same agent again",
    stage.play(async (hands) => {
      const { anna, page, there, call } = await talking(hands);
      await there.hears(BROWSER_TONE, { seconds: 1 });
      assert.ok(await call.summary());
      there.forget();
      const left = performance.now();
      await page.page.reload();
      await page.start({ gateway: hands.gateway, user: "anna", library, codec: "opus" });
      const again = await page.incoming();
      await again.reaches("up");
      await assertTones(
        [
          [there, BROWSER_TONE],
          [again, PHONE_TONE],
        ],
        { listen: { seconds: 1 } },
      );
      assert.ok(performance.now() - left < 20_000);
      await anna.status("talking");
      await there.hangUp();
      await again.reaches("over");
      await back(anna);
    }),
  );

  once(
    "hold by the API: music for the caller, nothing for the agent",
    stage.play(async (hands) => {
      const { anna, there, call } = await talking(hands);
      await there.hears(BROWSER_TONE, { seconds: 1 });
      const { call: id } = await anna.agent();
      await anna.ask("POST", `/calls/${id}/hold`);
      await anna.status("held");
      await until("the tone is gone at the caller", async () => {
        there.forget();
        await until("a second of sound", () => there.rtp.samples().samples.length >= 8_000);
        return measureTone(there.rtp.samples().samples, 8_000, BROWSER_TONE).purity < 0.2;
      });
      await anna.ask("POST", `/calls/${id}/unhold`);
      assertTone(await there.hears(BROWSER_TONE), BROWSER_TONE);
      await anna.ask("DELETE", `/calls/${id}`);
      await there.reaches("over");
      await call.reaches("over");
      await back(anna);
    }),
  );

  once(
    "the agent asks a phone, three talk, and the agent leaves the two",
    stage.play(async (hands) => {
      const { anna, there, call } = await talking(hands);
      const third = await hands.phone("1004");
      const { call: id } = await anna.agent();
      await anna.ask("POST", `/calls/${id}/consult`, { to: { number: "1004" } });
      const asked = await (await third.incoming()).reaches("up");
      asked.rtp.play(THIRD_TONE);
      await assertTones([
        [asked, BROWSER_TONE],
        [call, THIRD_TONE],
      ]);
      const sue = await Api.signIn(hands.gateway, "sue");
      await sue.call("consulting");

      await anna.ask("POST", `/calls/${id}/consult/merge`);
      await sue.call("conference");
      // Everybody hears the two others, and not oneself.
      const ears = [
        ["caller", async () => heardBy(there), [BROWSER_TONE, THIRD_TONE], PHONE_TONE],
        ["third", async () => heardBy(asked), [BROWSER_TONE, PHONE_TONE], THIRD_TONE],
        ["agent", async () => call.listen(1), [PHONE_TONE, THIRD_TONE], BROWSER_TONE],
      ];
      for (const [who, listen, others, own] of ears) {
        let seen;
        await until(
          `the ${who} hears ${others}`,
          async () => {
            const { samples, rate } = await listen();
            seen = [...others, own].map((tone) => measureTone(samples, rate, tone).db);
            return seen[0] > LEVEL - 3 && seen[1] > LEVEL - 3 && seen[2] < LEVEL - 25;
          },
          15_000,
        ).catch((error) => assert.fail(`${error.message}: ${seen}`));
      }

      await anna.ask("POST", `/calls/${id}/leave`);
      await call.reaches("over");
      await assertTones([
        [there, THIRD_TONE],
        [asked, PHONE_TONE],
      ]);
      await anna.status("wrap-up");
      await there.hangUp();
      await asked.reaches("over");
      await back(anna);
    }),
  );

  once(
    "a call is handed over to a phone after a question",
    stage.play(async (hands) => {
      const { anna, there, call } = await talking(hands);
      const third = await hands.phone("1004");
      const { call: id } = await anna.agent();
      await anna.ask("POST", `/calls/${id}/consult`, { to: { number: "1004" } });
      const asked = await (await third.incoming()).reaches("up");
      asked.rtp.play(THIRD_TONE);
      await call.hears(THIRD_TONE, { seconds: 1 });
      await anna.ask("POST", `/calls/${id}/consult/complete`);
      await call.reaches("over");
      await assertTones([
        [there, THIRD_TONE],
        [asked, PHONE_TONE],
      ]);
      await asked.hangUp();
      await there.reaches("over");
      await back(anna);
    }),
  );

  once(
    "a supervisor listens, whispers to the agent alone, and barges in",
    stage.play(async (hands) => {
      const { anna, there, call } = await talking(hands);
      const sue = await Api.signIn(hands.gateway, "sue");
      const watcher = await hands.phone("sue");
      const { call: id } = await anna.agent();
      const supervise = (mode) => sue.ask("PUT", `/calls/${id}/supervision`, { mode });
      await supervise("listen");
      const ear = await (await watcher.incoming()).reaches("up");
      ear.rtp.play(THIRD_TONE);
      const level = async (listen, tone) => {
        const { samples, rate } = await listen();
        return measureTone(samples, rate, tone).db;
      };
      const heard = { caller: () => heardBy(there), agent: () => call.listen(1), supervisor: () => heardBy(ear) };
      const loud = (db) => db > LEVEL - 3;
      const still = (db) => db < LEVEL - 25;
      for (const [mode, agentHears, callerHears] of [
        ["listen", still, still],
        ["whisper", loud, still],
        ["barge", loud, loud],
      ]) {
        await supervise(mode);
        let seen;
        await until(
          mode,
          async () => {
            seen = {
              agent: await level(heard.agent, THIRD_TONE),
              caller: await level(heard.caller, THIRD_TONE),
              ear: [await level(heard.supervisor, PHONE_TONE), await level(heard.supervisor, BROWSER_TONE)],
            };
            return agentHears(seen.agent) && callerHears(seen.caller) && seen.ear.every(loud);
          },
          15_000,
        ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(seen)}`));
      }
      await sue.ask("DELETE", `/calls/${id}/supervision`);
      await ear.reaches("over");
      assertTone(await there.hears(BROWSER_TONE), BROWSER_TONE);
      await there.hangUp();
      await call.reaches("over");
      await back(anna);
    }),
  );
});

/** The next second that a phone hears. */
async function heardBy(there) {
  there.forget();
  await until("a second of sound", () => there.rtp.samples().samples.length >= 8_000);
  return { samples: there.rtp.samples().samples, rate: 8_000 };
}
