// The wallboard at /wallboard: what it shows is what the API says, and a supervisor is in a call and out of it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { KINDS, launch } from "../lib/browser.mjs";
import { CentrePage, VIEWS } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const play = (browser, act) => async () => {
  const cleanup = new Cleanup();
  try {
    const gateway = await Gateway.start(cleanup);
    const open = async (path, view) => {
      const page = await CentrePage.open(browser(), gateway, path, view);
      cleanup.add(async () => {
        assert.deepEqual(page.page.problems, []);
        await page.close();
      });
      return page;
    };
    const board = async (view) => {
      const page = await open("wallboard", view);
      await page.signIn("sue");
      await page.shows("#connection", /^Connected$/);
      return page;
    };
    await act({ gateway, open, board });
  } finally {
    await cleanup.run();
  }
};

for (const kind of KINDS) {
  describe(kind, () => {
    let browser;
    before(async () => {
      browser = await launch(kind);
    });
    after(() => browser?.close());

    test(
      "listens, whispers, barges in, stops; the numbers are those of the API",
      play(
        () => browser,
        async ({ gateway, open, board }) => {
          const anna = await open("agent");
          await anna.goOnline("anna");
          const page = await board();
          const member = '[data-agent="anna"]';
          await page.shows(member, /Available/);
          await anna.page.bringToFront();
          await anna.press("#demo-call");
          await anna.answer();
          await page.page.bringToFront();
          await page.shows(member, /Talking.*Demo caller.*Support/s);
          await page.press(`${member} [data-mode="listen"]`);
          await page.shows('#watching [role="status"]', /Nobody hears you/);
          await until("the call is heard", () =>
            page.page.$eval('[aria-label="Level of the call"]', (meter) => Number(meter.getAttribute("aria-valuenow")) > 10),
          );
          await page.shows(member, /Sue is listening/);
          await page.press('#watching input[value="whisper"]');
          await page.shows('#watching [role="status"]', /Only the agent/);
          await page.shows(member, /Sue is whispering/);
          await page.press('#watching input[value="barge"]');
          await page.shows('#watching [role="status"]', /Both sides hear you/);
          await page.shows(member, /Sue has joined/);
          await until("the supervisor is heard", () =>
            page.page.$eval('[aria-label="Your level"]', (meter) => Number(meter.getAttribute("aria-valuenow")) > 10),
          );
          await page.press("#stop-watching");
          await page.gone("#watching");
          await until("the card says so", async () => !/Sue/.test(await page.text(member)));

          await page.press(`${member} .member-head button`);
          await page.press('#state-dialog [data-set="lunch"]');
          await page.shows(member, /next: Lunch/);
          await anna.page.bringToFront();
          await anna.press("#hangup");
          await anna.press("#done");
          await page.page.bringToFront();
          await page.shows(member, /Paused: Lunch/);

          const sue = await Api.signIn(gateway, "sue");
          const tile = '[data-queue="que_support"]';
          await page.shows(`${tile} [data-figure="answered"]`, /^1$/);
          const queue = await sue.ask("GET", "/queues/que_support");
          const shown = async (name) => page.text(`${tile} [data-figure="${name}"]`);
          assert.equal(await shown("entered"), String(queue.today.entered));
          assert.equal(await shown("abandoned"), String(queue.today.abandoned));
          assert.equal(await shown("asa"), `${Math.round(queue.today.asa_s)} s`);
          assert.equal(await shown("level"), `${Math.round(100 * queue.today.service_level)}%`);
          await page.page.select("#day-queue", "que_support");
          await page.waitFor(".as-table tbody tr");
          const row = await page.page.$$eval(".as-table tbody tr:last-child td", (cells) =>
            cells.map((cell) => cell.textContent),
          );
          assert.deepEqual(row, ["1", "1", "0", "0", "100%"]);
        },
      ),
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
    "a caller who waits is counted, and the wait ticks",
    the(async ({ gateway, board }) => {
      const page = await board();
      const anna = await Api.signIn(gateway, "anna");
      // Nobody is there who could take it; a queue keeps callers only while somebody is signed in.
      await anna.ask("PUT", "/me/agent/intent", { intent: "paused", reason: "lunch" });
      await anna.ask("POST", "/demo/call", {});
      const tile = '[data-queue="que_support"]';
      await page.shows(`${tile} [data-figure="waiting"]`, /^1$/);
      await page.shows(`${tile} [data-figure="longest"]`, /^0:0[2-9]$/);
      await page.shows(".overview", /Waiting1Longest wait0:0/);
      await page.shows('[data-agent="anna"]', /Paused: Lunch/);
    }),
  );

  test(
    "agents are found by kind and name, and sorted",
    the(async ({ gateway, board }) => {
      const page = await board();
      const ben = await Api.signIn(gateway, "ben");
      await ben.ask("PUT", "/me/agent/intent", { intent: "paused", reason: "break" });
      const names = () => page.page.$$eval("#agents h3", (all) => all.map((one) => one.textContent));
      await until("only who is signed in", async () => String(await names()) === "Ben");
      await page.press('input[name="filter"][value="offline"]');
      await until("only who is not", async () => String(await names()) === "Anna");
      await page.type("#agents-find", "zz");
      await page.shows("#agent-list", /No agents match/);
    }),
  );

  test(
    "who is no supervisor is told so, and signs in as another",
    the(async ({ open }) => {
      const page = await open("wallboard");
      await page.signIn("ben");
      await page.shows(".signin", /not a supervisor/);
      assert.deepEqual(await page.problems(), []);
      await page.press(".signin .small");
      await page.signIn("sue");
      await page.shows("#connection", /^Connected$/);
      await page.page.reload();
      await page.shows("#connection", /^Connected$/);
    }),
  );

  test(
    "full screen makes everything larger, and leaves nothing out of sight at the side",
    the(async ({ open, board }) => {
      const anna = await open("agent");
      await anna.goOnline("anna");
      const page = await board({ viewport: { width: 1280, height: 800 } });
      await anna.page.bringToFront();
      await anna.press("#demo-call");
      await anna.answer();
      await page.page.bringToFront();
      // The call is in the chart while it lasts.
      await page.waitFor(".chart text");
      const sizes = () =>
        page.page.evaluate(() => {
          const parts = [
            "h1",
            ".overview dd",
            ".tile-now dt",
            ".tile-now dd",
            ".tile-day dd",
            ".member h3",
            ".status",
            ".legend",
            ".chart text",
          ];
          return parts.map((part) => Number.parseFloat(getComputedStyle(document.querySelector(part)).fontSize));
        });
      const before = await sizes();
      const chart = () => page.page.$eval(".chart svg", (drawing) => drawing.getBoundingClientRect().height);
      const low = await chart();
      await page.press("#full-screen");
      await until("it fills the screen", () => page.page.evaluate(() => document.fullscreenElement !== null));
      const after = await sizes();
      for (const [n, size] of after.entries()) assert.ok(size >= 1.2 * before[n], `${before[n]} px became ${size} px`);
      await until("the chart has grown", async () => (await chart()) >= 1.2 * low);
      assert.equal(await page.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
      await page.screenshot("wallboard-full");
    }),
  );

  test(
    "a queue whose callers nobody can take stands out, without limits too",
    the(async ({ gateway, board }) => {
      const page = await board();
      const anna = await Api.signIn(gateway, "anna");
      const sue = await Api.signIn(gateway, "sue");
      const queue = await sue.ask("POST", "/queues", { name: "billing", display: "Billing", number: "9100" });
      await anna.ask("PUT", "/me/agent/intent", { intent: "paused", reason: "lunch" });
      // The demonstration's queue has a limit: two may wait.
      for (let n = 0; n < 2; n++) await anna.ask("POST", "/demo/call", {});
      await page.shows('[data-queue="que_support"] [data-figure="waiting"]', /^2$/);
      assert.equal(await page.has('[data-queue="que_support"] .alarms'), false);
      await anna.ask("POST", "/demo/call", {});
      await page.shows('[data-queue="que_support"] .alarms', /3 waiting \(limit 2\)/);
      for (let n = 0; n < 2; n++) await anna.ask("POST", "/demo/call", { queue: queue.id });
      await page.shows(`[data-queue="${queue.id}"].warn .alarms`, /2 waiting, no agent free/);
      assert.deepEqual(await page.problems(), []);
    }),
  );

  for (const [name, view] of Object.entries(VIEWS)) {
    test(
      `${name}: labels, contrast, roles and width are right`,
      the(async ({ gateway, open, board }) => {
        const anna = await open("agent");
        await anna.goOnline("anna");
        const page = await board(view);
        const looks = async (state) => {
          await page.screenshot(`wallboard-${name}-${state}`);
          assert.deepEqual(await page.problems(), [], state);
        };
        await looks("idle");
        await anna.page.bringToFront();
        await anna.press("#demo-call");
        await anna.answer();
        await page.page.bringToFront();
        await page.press('[data-agent="anna"] [data-mode="listen"]');
        await page.shows('#watching [role="status"]', /Nobody hears you/);
        await looks("listening");
        await page.press("#stop-watching");
        await page.press('[data-agent="anna"] .member-head button');
        await page.waitFor("#state-dialog");
        await looks("state");
        await page.page.keyboard.press("Escape");
        await page.gone("#state-dialog");
        const ben = await Api.signIn(gateway, "ben");
        await ben.ask("PUT", "/me/agent/intent", { intent: "paused", reason: "break" });
        await anna.page.bringToFront();
        await anna.press("#hangup");
        await page.page.bringToFront();
        await page.waitFor(".as-table");
        await page.page.$eval(".as-table", (one) => (one.open = true));
        await looks("day");
      }),
    );
  }
});
