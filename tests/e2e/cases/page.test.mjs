// The page that is built into the gateway, in both browsers and on both libraries.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { KINDS, launch } from "../lib/browser.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { DemoPage } from "../lib/demo.mjs";
import { cutWire } from "../lib/relay.mjs";
import { LIBRARIES } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const whole = new Cleanup();
let gateway;
before(async () => {
  gateway = await Gateway.start(whole);
});
after(() => whole.run());

/** Runs a case and closes every page that it opened. */
const play = (act) => async () => {
  const cleanup = new Cleanup();
  const open = async (browser, settings, view) => {
    const page = await DemoPage.open(browser, view?.address ?? gateway.page, settings, view);
    cleanup.add(async () => {
      await page.close();
      assert.deepEqual(page.page.problems, []);
    });
    return page;
  };
  try {
    await act(open, cleanup);
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

    for (const lib of LIBRARIES) {
      describe(lib, () => {
        test(
          "calls the echo, presses keys, mutes, holds, hangs up",
          play(async (open) => {
            const page = await open(browser, { lib });
            await page.press('[data-dial="9196"]');
            await page.shows("#call-state", /^Connected$/);
            await page.shows("#timer", /^0:0[1-9]$/);
            await page.shows("#codec", /opus 48 kHz/i);
            await page.shows("#loss-in", /^0\.0%$/);
            await page.shows("#round-trip", /ms$/);
            await page.shows("#grade", /^Good connection$/);
            await page.shows(".mode", /gateway itself/);
            for (const who of ["Microphone level", "Level of the other side"]) {
              const level = `[aria-label="${who}"]`;
              await until(`${who} moves`, () =>
                page.page.$eval(level, (meter) => Number(meter.getAttribute("aria-valuenow")) > 30),
              );
            }
            await page.screenshot(`${kind}-${lib}-call`);
            await page.press("#keys");
            await page.press('#call-keys [data-key="5"]');
            await page.press('#call-keys [data-key="#"]');
            await page.shows("#digits", /^5#$/);
            await page.press("#mute");
            await page.shows("#mute", /^Unmute$/);
            await until("the echo is silent", () =>
              page.page.$eval('[aria-label="Level of the other side"]', (meter) => meter.getAttribute("aria-valuenow") === "0"),
            );
            await page.press("#mute");
            await page.press("#hold");
            await page.shows("#call-state", /^On hold$/);
            await page.shows("#hold", /^Resume$/);
            await page.shows("#grade", /^On hold$/);
            await page.press("#hold");
            await page.shows("#call-state", /^Connected$/);
            await page.shows("#hold", /^Hold$/);
            await page.press("#hangup");
            await page.shows("#notice", /^Call with 9196 ended after/);
            assert.match(await page.text("#recents"), /^9196/);
          }),
        );

        test(
          "tells both legs of a call to the demo phone",
          play(async (open) => {
            const page = await open(browser, { lib });
            await page.press('[data-dial="2000"]');
            await page.shows("#call-state", /^Ringing$/);
            await page.shows("#call-state", /^Connected$/);
            await page.shows("#far-codec", /^PCMU/i);
            await page.shows("#codec", /^opus/i);
            await page.shows(".mode", /converts/);
            await page.press("#hangup");
            await page.waitFor("#number");
          }),
        );

        test(
          "says why a call did not come about",
          play(async (open) => {
            const page = await open(browser, { lib });
            await page.type("#number", "77");
            await page.page.keyboard.press("Enter");
            await page.shows("#notice", /^No such number: 77/);
            await page.type("#number", "1004");
            await page.page.keyboard.press("Enter");
            await page.shows("#notice", /^1004 cannot be reached/);
            await page.type("#number", "two words");
            await page.page.keyboard.press("Enter");
            await page.shows("#notice", /is not a valid number or address/);
            assert.match(await page.text("#recents"), /not available.*unknown number/);
          }),
        );

        test(
          "is told of a wrong password, and mends it",
          play(async (visit) => {
            const page = await visit(browser, { lib, password: "wrong" }, { ready: false });
            await page.shows("#standing", /^Wrong password$/);
            await page.shows("#standing-notice", /did not accept this password for user 1001/);
            await page.type("#password", "cordboard");
            await page.press('#account button[type="submit"]');
            await page.shows("#standing", /^Ready as 1001$/);
            assert.equal(await page.has("#standing-notice"), false);
            // The field is there as soon as the notice is, and not a frame later.
            await page.press("#account summary");
            const open = page.page.evaluate(
              () =>
                new Promise((told) => {
                  const turns = new MessageChannel();
                  turns.port1.onmessage = () => {
                    if (document.querySelector("#standing-notice")) told(document.querySelector("#account").open);
                    else turns.port2.postMessage(0);
                  };
                  turns.port2.postMessage(0);
                }),
            );
            await page.page.$eval("#password", (field) => {
              field.value = "wrong";
              field.dispatchEvent(new InputEvent("input", { bubbles: true }));
            });
            await page.press('#account button[type="submit"]');
            assert.equal(await open, true);
          }),
        );

        test(
          "calls another page, which answers; the next call is declined",
          play(async (open) => {
            const other = LIBRARIES.find((name) => name !== lib);
            const called = await open(browser, { lib: other, user: "1002" });
            const caller = await open(browser, { lib, dial: "1002" });
            await caller.press("#call");
            await called.waitFor("#answer");
            assert.match(await called.text(".incoming"), /1001/);
            await until("the title says so", async () => /is calling$/.test(await called.page.title()));
            await called.screenshot(`${kind}-${other}-incoming`);
            await called.press("#answer");
            await called.shows("#call-state", /^Connected$/);
            await caller.shows("#call-state", /^Connected$/);
            await caller.press("#hangup");
            await called.shows("#notice", /ended after/);
            await caller.type("#number", "1002");
            await caller.press("#call");
            await called.press("#reject");
            await caller.shows("#notice", /^1002 declined/);
            await caller.type("#number", "1002");
            await caller.press("#call");
            await called.press("#busy");
            await caller.shows("#notice", /^1002 is busy/);
          }),
        );

        test(
          "finds the gateway again after it was gone, and the call goes on",
          play(async (open, cleanup) => {
            const wire = await cutWire(gateway.httpPort);
            cleanup.add(() => wire.close());
            const page = await open(browser, { lib }, { address: `http://127.0.0.1:${wire.port}/` });
            await page.press('[data-dial="9196"]');
            await page.shows("#call-state", /^Connected$/);
            wire.cut();
            await page.shows("#standing", /^(Reconnecting|Connecting)$/);
            await page.shows("#standing-notice", /cannot be reached/);
            wire.mend();
            await page.shows("#standing", /^Ready as/, 30_000);
            await page.shows("#call-state", /^Connected$/);
            await page.press("#hold");
            await page.shows("#call-state", /^On hold$/);
            await page.press("#hangup");
            await page.shows("#notice", /ended after/);
          }),
        );
      });
    }

    test(
      "switches the library",
      play(async (open) => {
        const page = await open(browser, { lib: "jssip" });
        assert.match(await page.text(".summary-note"), /JsSIP/);
        await page.press('input[value="sipjs"]');
        await page.shows(".summary-note", /SIP\.js/);
        await page.shows("#standing", /^Ready as/);
        await page.press('[data-dial="9197"]');
        await page.shows("#call-state", /^Connected$/);
        await page.press("#hangup");
        await page.waitFor("#number");
      }),
    );
  });

  describe(`${kind} without a microphone`, () => {
    let browser;
    before(async () => {
      browser = await launch(kind, { microphone: false });
    });
    after(() => browser?.close());

    test(
      "says so, and can still listen",
      play(async (open, cleanup) => {
        // Firefox shows a page that has no microphone the way out alone, never the loopback.
        const gateway = await Gateway.start(cleanup, "", { everywhere: kind === "firefox" });
        const page = await open(browser, {}, { address: gateway.page });
        await page.press('[data-dial="9197"]');
        await page.shows("#trouble", /blocked the microphone/);
        await page.screenshot(`${kind}-refused`);
        await page.press("#listen-only");
        await page.shows("#call-state", /^Connected$/);
        await page.shows(".callcard", /Listening only/);
        await until("the tone is heard", () =>
          page.page.$eval('[aria-label="Level of the other side"]', (meter) => Number(meter.getAttribute("aria-valuenow")) > 30),
        );
        await page.press("#hangup");
        await page.waitFor("#number");
      }),
    );
  });
}

describe("for everybody", () => {
  let browser;
  before(async () => {
    browser = await launch("chromium");
  });
  after(() => browser?.close());

  const VIEWS = {
    "desktop-light": { viewport: { width: 1100, height: 900 }, colorScheme: "light" },
    "desktop-dark": { viewport: { width: 1100, height: 900 }, colorScheme: "dark" },
    "phone-light": { viewport: { width: 360, height: 740, isMobile: true, hasTouch: true }, colorScheme: "light" },
    "phone-dark": { viewport: { width: 360, height: 740, isMobile: true, hasTouch: true }, colorScheme: "dark" },
  };

  /** Problems that axe finds, as text; and whether anything sticks out at the side. */
  const problems = async (page) => {
    await page.page.evaluate(axe);
    const found = await page.page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    const wide = await page.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    return [
      ...found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`),
      ...(wide ? ["wider than the screen"] : []),
      ...(await page.smallTargets()),
    ];
  };

  for (const [name, view] of Object.entries(VIEWS)) {
    test(
      `${name}: labels, contrast, roles and width are right`,
      play(async (open) => {
        const page = await open(browser, { user: "1001" }, view);
        await page.page.$$eval("details", (all) => {
          for (const one of all) one.open = true;
        });
        await page.screenshot(`${name}-idle`);
        assert.deepEqual(await problems(page), []);
        await page.press('[data-dial="2000"]');
        await page.shows("#call-state", /^Connected$/);
        await page.shows("#grade", /^Good connection$/);
        await page.screenshot(`${name}-call`);
        assert.deepEqual(await problems(page), []);
        await page.press("#keys");
        await page.screenshot(`${name}-keys`);
        assert.deepEqual(await problems(page), []);
        await page.press("#hangup");
        await page.waitFor("#number");
        const caller = await open(browser, { user: "1003", dial: "1001" });
        await caller.press("#call");
        await page.page.bringToFront();
        await page.waitFor("#answer");
        await page.screenshot(`${name}-incoming`);
        assert.deepEqual(await problems(page), []);
        await caller.page.bringToFront();
        await caller.press("#hangup");
        await page.page.bringToFront();
        await until("nobody rings any more", async () => !(await page.has("#answer")));
      }),
    );
  }

  test(
    "a keyboard is enough",
    play(async (open) => {
      const page = await open(browser);
      const { keyboard } = page.page;
      await page.page.bringToFront();
      const focused = () => page.page.evaluate(() => document.activeElement?.id || document.activeElement?.className);
      assert.equal(await focused(), "number");
      await keyboard.type("9196");
      await keyboard.press("Enter");
      await page.shows("#call-state", /^Connected$/);
      assert.equal(await focused(), "callcard", "on no button: the next Enter hangs nobody up");
      await keyboard.type("12#");
      assert.equal(await page.text("#digits"), "12#");
      await keyboard.press("Enter");
      assert.match(await page.text("#call-state"), /^Connected$/);
      await page.page.focus("#hangup");
      await keyboard.press("Enter");
      await page.shows("#notice", /^Call with 9196 ended/);
      assert.equal(await focused(), "number");
    }),
  );
});
