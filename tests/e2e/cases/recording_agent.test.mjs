// A caller of a queue and an agent in a browser are recorded, over a hold and a transfer; the agent pauses the recording, and listens to it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { launch } from "../lib/browser.mjs";
import { CentrePage } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { toneSeconds } from "../lib/heard.mjs";
import { Phone } from "../lib/phone.mjs";
import { folder } from "../lib/process.mjs";
import { stereo } from "../lib/recording.mjs";
import { BROWSER_TONE, PHONE_TONE } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const OTHER_TONE = 1700;

test("a queue's caller is on the left, the agent's browser on the right, and the agent pauses and listens", async () => {
  const cleanup = new Cleanup();
  try {
    const directory = join(folder(cleanup), "recordings");
    const gateway = await Gateway.start(
      cleanup,
      `[recording]\ndirectory = "${directory}"\n[[recording.rules]]\nrecord = "all"\n`,
    );
    const browser = await launch("chromium", { tone: BROWSER_TONE });
    cleanup.add(() => browser.close());
    const page = await CentrePage.open(browser, gateway, "agent");
    cleanup.add(() => page.close());
    await page.goOnline("anna");
    const phone = await Phone.start({ user: "1003", server: gateway.port });
    cleanup.add(() => phone.close());
    const caller = await phone.call("9001");
    await page.answer();
    await caller.hears(BROWSER_TONE, { seconds: 1 });
    const anna = await Api.signIn(gateway, "anna");
    const sue = await Api.signIn(gateway, "sue");
    const { call } = await anna.agent();
    const recording = (state) =>
      until(
        `the recording is ${state}`,
        async () => {
          const { items } = await sue.ask("GET", `/recordings?call=${call}`);
          return items.length === 1 && items[0].state === state ? items[0] : undefined;
        },
        15_000,
        50,
      );
    const { id, queue } = await recording("recording");
    assert.match(queue, /^que_/);
    await anna.ask("POST", `/calls/${call}/hold`);
    await new Promise((done) => setTimeout(done, 1000));
    await anna.ask("POST", `/calls/${call}/unhold`);
    await caller.hears(BROWSER_TONE, { seconds: 0.5 });
    await anna.ask("POST", `/calls/${call}/recording/pause`);
    await recording("paused");
    await anna.ask("POST", `/calls/${call}/recording/resume`);
    // The agent sends the caller on to a phone: it is the same call, and the same recording.
    const other = await Phone.start({ user: "1004", server: gateway.port });
    cleanup.add(() => other.close());
    other.tone = { frequency: OTHER_TONE, amplitude: 0.25 };
    assert.equal(await other.register(), 200);
    await anna.ask("POST", `/calls/${call}/transfer`, { to: { number: "1004" } });
    await caller.hears(OTHER_TONE, { seconds: 1 });
    await caller.hangUp();
    const saved = await recording("saved");
    const response = await fetch(`${anna.base}/recordings/${id}/audio`, { headers: { authorization: `Bearer ${anna.token}` } });
    assert.equal(response.status, 200);
    const { left, right, rate } = stereo(Buffer.from(await response.arrayBuffer()));
    assert.ok(toneSeconds(left, rate, PHONE_TONE) > 2, `${toneSeconds(left, rate, PHONE_TONE)} s of the caller`);
    assert.ok(toneSeconds(right, rate, BROWSER_TONE) > 2, `${toneSeconds(right, rate, BROWSER_TONE)} s of the agent`);
    assert.ok(toneSeconds(right, rate, OTHER_TONE) > 0.9, `${toneSeconds(right, rate, OTHER_TONE)} s of the other phone`);
    for (const tone of [BROWSER_TONE, OTHER_TONE]) assert.equal(toneSeconds(left, rate, tone), 0);
    // The music on hold has that note, too, for a moment.
    assert.ok(toneSeconds(right, rate, PHONE_TONE) < 0.5, `${toneSeconds(right, rate, PHONE_TONE)} s of the caller's own voice`);
    assert.equal(saved.pauses.length, 1);
    // Another agent neither sees the list nor hears it.
    const ben = await Api.signIn(gateway, "ben");
    await assert.rejects(ben.ask("GET", "/recordings"), /403/);
    await assert.rejects(ben.ask("GET", `/recordings/${id}`), /404/);
  } finally {
    await cleanup.run();
  }
});
