// The agent desktop at /agent, with demo callers of the gateway: everything by what the page shows. Here: calls of one agent.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { pause, play } from "../lib/agent_page.mjs";
import { Api } from "../lib/api.mjs";
import { KINDS, launch } from "../lib/browser.mjs";
import { until } from "../lib/wait.mjs";

for (const kind of KINDS) {
  describe(kind, () => {
    let browser;
    const the = (act) => play(() => browser, act);
    before(async () => {
      browser = await launch(kind);
    });
    after(() => browser?.close());

    test(
      "takes a call: answer, hold, keys, notes, wrap-up, and finds it among the recent ones",
      the(async ({ open }) => {
        const page = await open();
        await page.goOnline("anna");
        await page.press("#demo-call");
        await page.waitFor("#offer");
        assert.match(await page.text("#offer"), /Incoming call.*Support.*Demo caller/);
        await page.shows("#offer-left", /^(20|1\d) s left/);
        await until("the title says so", async () => /is calling$/.test(await page.page.title()));
        assert.equal(await page.focused(), "answer");
        await page.answer();
        await page.gone("#offer");
        await page.shows("#codec", /^opus/i);
        await page.shows("#far-codec", /^PCMU/i);
        await page.shows("#far-mos", /^4\.\d$/);
        await page.press("#hold");
        await page.shows("#call-state", /^On hold$/);
        await page.press("#hold");
        await page.shows("#call-state", /^Talking$/);
        await page.press("#keys");
        await page.press('#keypad [data-key="5"]');
        await page.press('#keypad [data-key="#"]');
        await page.shows("#digits", /^5#$/);
        await page.press("#mute");
        await page.shows("#mute", /^Unmute$/);
        await page.type("#notes", "Wants the invoice again.");
        await page.press('.pick input[value="follow-up"]');
        await page.shows("#draft-state", /^Saved$/);
        await page.press('[data-intent="lunch"]');
        await until("lunch comes next", () => page.has('[data-intent="lunch"][aria-pressed="true"]'));
        await page.press("#hangup");
        await page.shows("#wrapup-left", /^0:(1|0)\d$/);
        assert.equal(await page.page.$eval("#notes", ({ value }) => value), "Wants the invoice again.");
        await page.press("#done");
        await page.shows("#state-now", /^Paused: Lunch/);
        await page.waitFor(".record");
        assert.match(await page.text(".record"), /Demo caller.*Follow-up needed.*Wants the invoice again\./s);
      }),
    );

    test(
      "no key that is held down, and none after the answer, hangs up",
      the(async ({ open }) => {
        const page = await open();
        const { keyboard } = page.page;
        await page.goOnline("anna");
        await page.press("#demo-call");
        await page.waitFor("#offer");
        await page.page.bringToFront();
        await until("the button has the focus", async () => (await page.focused()) === "answer");
        // As a keyboard repeats: the key goes down again and again, and up once.
        for (let n = 0; n < 40; n += 1) {
          await keyboard.down("Enter");
          await pause(33);
        }
        await keyboard.up("Enter");
        await page.shows("#call-state", /^Talking$/);
        assert.equal(await page.focused(), "call");
        for (const key of [" ", "Enter"]) await keyboard.press(key);
        await pause(500);
        assert.match(await page.text("#call-state"), /^Talking$/);
        await page.hearsSomething();
        await page.press("#hangup");
        await page.waitFor("#done");
      }),
    );

    test(
      "a reload in the call: signed in, back in the call, and nothing was typed in vain",
      the(async ({ open }) => {
        const page = await open();
        await page.goOnline("anna");
        await page.press("#demo-call");
        await page.answer();
        await page.type("#notes", "Half a sen");
        await page.page.reload();
        await page.shows("#call-state", /^Talking$/);
        await page.gone("#voiceless");
        await page.hearsSomething();
        assert.equal(await page.page.$eval("#notes", ({ value }) => value), "Half a sen");
        await page.press("#hangup");
        await page.press("#done");
        await page.shows("#state-now", /^Available/);
      }),
    );

    test(
      "another tab takes over with the call, and the first takes it back",
      the(async ({ open }) => {
        const one = await open();
        await one.goOnline("anna");
        await one.press("#demo-call");
        await one.answer();
        const two = await open();
        await two.signIn("anna");
        await two.shows("#call-state", /^Talking$/);
        await two.gone("#voiceless");
        await two.hearsSomething();
        await one.page.bringToFront();
        await one.press("#take-over");
        await one.shows("#call-state", /^Talking$/);
        await one.gone("#voiceless");
        await one.hearsSomething();
        await two.waitFor("#superseded");
        await one.press("#hangup");
        await one.waitFor("#done");
      }),
    );
  });
}

describe("for everybody", () => {
  let browser;
  const the = (act) => play(() => browser, act);
  before(async () => {
    browser = await launch("chromium");
  });
  after(() => browser?.close());

  test(
    "a missed call pauses in words, and is listed with calls of one's own, also after a reload",
    the(async ({ open }) => {
      const [anna, ben] = [await open(), await open()];
      await ben.goOnline("ben");
      await ben.press('[data-intent="meeting"]');
      await anna.page.bringToFront();
      await anna.goOnline("anna");
      await anna.press("#demo-call");
      await anna.waitFor("#offer");
      await anna.shows("#notice", /^Missed – the call was passed on\.$/, 30_000);
      await anna.shows("#state-now", /^Paused: you missed a call/);
      await anna.shows("#idle-title", /^Paused: you missed a call$/);
      await anna.shows('[data-kind="missed"]', /Demo caller.*missed/s);
      await anna.type("#dial", "ben");
      await anna.press("#dial-button");
      await ben.page.bringToFront();
      await ben.waitFor("#offer");
      await ben.shows("#idle-title", /^Direct call$/);
      await ben.press("#reject");
      await anna.page.bringToFront();
      await anna.shows('[data-kind="internal"]', /Ben.*busy or declined/s);
      await anna.type("#dial", "9196");
      await anna.press("#dial-button");
      await anna.shows("#call-state", /^Talking$/);
      await anna.press("#hangup");
      await anna.shows('[data-kind="internal"]', /9196/);
      await anna.screenshot("agent-history");
      await anna.page.reload();
      await anna.waitFor('[data-kind="missed"]');
      const kinds = await anna.page.$$eval("#recents > li", (all) => all.map(({ dataset }) => dataset.kind));
      assert.deepEqual(kinds, ["internal", "internal", "missed"]);
      await ben.page.bringToFront();
      await ben.shows('[data-kind="internal"]', /Anna.*declined/s);
    }),
  );

  test(
    "the first click does what it says, where the page may not sound before it",
    the(async ({ open }) => {
      const page = await open();
      await page.goOnline("anna");
      // As browsers do with people: no sound before the first click.
      await page.page.evaluateOnNewDocument(() => {
        let clicked = false;
        addEventListener("click", () => (clicked = true), { capture: true });
        const Allowed = window.AudioContext;
        window.AudioContext = class extends Allowed {
          get state() {
            return clicked ? super.state : "suspended";
          }
        };
      });
      await page.page.reload();
      await page.waitFor("#needs-click");
      await page.waitFor("#demo-call");
      await page.screenshot("agent-silent");
      const at = await page.page.$eval("#demo-call", (button) => {
        const { x, y, width, height } = button.getBoundingClientRect();
        return { x: x + width / 2, y: y + height / 2 };
      });
      await page.page.mouse.move(at.x, at.y);
      await page.page.mouse.down();
      await pause(120);
      await page.page.mouse.up();
      await page.waitFor("#offer");
      await page.gone("#needs-click");
      await page.press("#reject");
    }),
  );

  test(
    "rejects a call that comes again, and gives it to a queue",
    the(async ({ gateway, open }) => {
      const page = await open();
      await page.goOnline("anna");
      await page.press("#demo-call");
      await page.press("#reject");
      await page.gone("#offer");
      // The caller waits on, and comes again after a while.
      await page.answer();
      await page.press("#transfer");
      await page.press('[data-transfer="que_sales"]');
      await page.shows("#notice", /is going to Sales/);
      await page.waitFor("#done");
      const sue = await Api.signIn(gateway, "sue");
      await until("Sales has it", async () => (await sue.ask("GET", "/queues/que_sales")).live.waiting === 1);
    }),
  );
});
