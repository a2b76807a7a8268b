// Access to the agent desktop: keyboard, shortcuts, labels, contrast and width, title and icon, and whom it turns away.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { play } from "../lib/agent_page.mjs";
import { launch } from "../lib/browser.mjs";
import { VIEWS } from "../lib/centre_page.mjs";
import { until } from "../lib/wait.mjs";

describe("for everybody", () => {
  let browser;
  const the = (act) => play(() => browser, act);
  before(async () => {
    browser = await launch("chromium");
  });
  after(() => browser?.close());

  test(
    "a keyboard is enough",
    the(async ({ open }) => {
      const page = await open();
      const { keyboard } = page.page;
      await page.page.bringToFront();
      await page.waitFor("#user");
      assert.equal(await page.focused(), "user");
      await keyboard.type("anna");
      await keyboard.press("Tab");
      await keyboard.type("wrong");
      await keyboard.press("Enter");
      await page.shows("#signin-wrong", /User or password is wrong/);
      assert.equal(await page.focused(), "password");
      await keyboard.type("cordboard");
      await keyboard.press("Enter");
      await page.waitFor("#go-online");
      await page.shows("#connection", /^Connected$/);
      await page.page.focus("#go-online");
      await keyboard.press("Enter");
      await page.waitFor("#demo-call");
      await page.page.focus("#demo-call");
      await keyboard.press("Enter");
      await page.waitFor("#offer");
      await keyboard.press("Escape");
      assert.ok(await page.has("#offer"), "Escape loses no caller");
      await keyboard.press("a");
      await page.shows("#call-state", /^Talking$/);
      await keyboard.press("h");
      await page.shows("#call-state", /^On hold$/);
      await keyboard.press("h");
      await page.shows("#call-state", /^Talking$/);
      await keyboard.press("m");
      await page.shows("#mute", /^Unmute$/);
      await keyboard.press("n");
      await until("notes have the focus", async () => (await page.focused()) === "notes");
      await keyboard.type("mhEa");
      assert.equal(await page.page.$eval("#notes", ({ value }) => value), "mhEa");
      assert.match(await page.text("#mute"), /^Unmute$/);
      await page.page.focus("#hangup");
      await keyboard.press("?");
      await page.waitFor("#help");
      assert.equal(await page.focused(), "help-close");
      await keyboard.press("Escape");
      await page.gone("#help");
      assert.equal(await page.focused(), "hangup");
      await keyboard.down("Shift");
      await keyboard.press("E");
      await keyboard.up("Shift");
      await page.waitFor("#done");
      await keyboard.press("d");
      await page.shows("#state-now", /^Available/);
    }),
  );

  test(
    "shortcuts can be switched off, and stay so",
    the(async ({ open }) => {
      const page = await open();
      await page.signIn("anna");
      await page.press("#help-button");
      await page.press("#shortcuts-on");
      await page.press("#help-close");
      await page.page.reload();
      await page.waitFor("#go-online");
      await page.page.keyboard.press("c");
      assert.notEqual(await page.focused(), "dial");
      await page.page.keyboard.press("?");
      await page.press("#shortcuts-on");
      await page.press("#help-close");
      await page.page.keyboard.press("c");
      assert.equal(await page.focused(), "dial");
    }),
  );

  test(
    "who is no agent is told so",
    the(async ({ open }) => {
      const page = await open();
      await page.signIn("sue");
      await page.shows(".signin", /is not an agent/);
      assert.deepEqual(await page.problems(), []);
    }),
  );

  for (const [name, view] of Object.entries(VIEWS)) {
    test(
      `${name}: labels, contrast, roles and width are right`,
      the(async ({ open }) => {
        const page = await open(view);
        const looks = async (state) => {
          await page.screenshot(`agent-${name}-${state}`);
          assert.deepEqual(await page.problems(), [], state);
        };
        await page.waitFor("#user");
        await looks("sign-in");
        await page.signIn("anna", "wrong");
        await page.shows("#signin-wrong", /wrong/);
        await looks("wrong");
        await page.goOnline("anna");
        await page.waitFor("#demo-call");
        await page.page.$$eval("details", (all) => {
          for (const one of all) one.open = true;
        });
        await looks("available");
        await page.press("#demo-call");
        await page.waitFor("#offer");
        await looks("offer");
        await page.answer();
        await page.shows("#grade", /^Good connection$/);
        await looks("call");
        await page.press("#keys");
        await looks("keypad");
        await page.press("#transfer");
        await page.waitFor("#transfer-panel");
        await looks("transfer");
        await page.press("#hold");
        await page.shows("#call-state", /^On hold$/);
        await looks("hold");
        await page.press("#help-button");
        await page.waitFor("#help");
        await looks("help");
        await page.press("#help-close");
        await page.press("#hangup");
        await page.waitFor("#done");
        await looks("wrap-up");
        await page.press("#done");
        await page.press('[data-intent="break"]');
        await page.shows("#state-now", /^Paused: Break/);
        await looks("paused");
        await page.press("#sign-out");
        await page.waitFor("#user");
      }),
    );
  }

  test(
    "a page that is not looked at tells of a call by title and icon",
    the(async ({ open }) => {
      const page = await open();
      await page.goOnline("anna");
      const icon = () => page.page.$eval('link[rel="icon"]', (link) => link.getAttribute("href"));
      const calm = await icon();
      await page.press("#demo-call");
      await page.waitFor("#offer");
      await until("another icon", async () => /ringing/.test(await icon()));
      await page.press("#reject");
      await until("the calm icon", async () => (await icon()) === calm);
    }),
  );
});
