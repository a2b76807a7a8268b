// The agent desktop without something that it needs: its connection, its sign-in, its tab, a microphone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { pause, play } from "../lib/agent_page.mjs";
import { launch } from "../lib/browser.mjs";
import { CentrePage } from "../lib/centre_page.mjs";
import { cutWire } from "../lib/relay.mjs";

describe("for everybody", () => {
  let browser;
  const the = (act) => play(() => browser, act);
  before(async () => {
    browser = await launch("chromium");
  });
  after(() => browser?.close());

  test(
    "a connection that is lost is told of and comes back, and so does a call that runs",
    the(async ({ gateway, cleanup, open }) => {
      const wire = await cutWire(gateway.httpPort);
      cleanup.add(() => wire.close());
      const page = await open({}, { page: `http://127.0.0.1:${wire.port}/` });
      await page.goOnline("anna");
      await page.press("#demo-call");
      await page.answer();
      wire.cut();
      await page.shows("#lost", /Connection to the gateway lost.*Reconnecting/);
      await page.shows("#connection", /^Reconnecting$/);
      await page.hearsSomething();
      // Also while it tries.
      for (let n = 0; n < 60; n += 1) {
        assert.ok(await page.has("#lost"), "the bar stays");
        await pause(100);
      }
      wire.mend();
      await page.shows("#connection", /^Connected$/, 40_000);
      await page.gone("#lost");
      await page.shows("#call-state", /^Talking$/);
      await page.press("#hangup");
      await page.waitFor("#done");
    }),
  );

  test(
    "a sign-in that ended costs no call: the same one signs in over it",
    the(async ({ open }) => {
      const page = await open();
      await page.goOnline("anna");
      await page.press("#demo-call");
      await page.answer();
      await page.page.evaluate(async () => {
        const { refresh } = JSON.parse(sessionStorage.getItem("cordboard.session"));
        const body = JSON.stringify({ refresh_token: refresh });
        // A refresh token that is used twice was stolen.
        for (let n = 0; n < 2; n += 1) {
          await fetch("api/v1/auth/refresh", { method: "POST", headers: { "Content-Type": "application/json" }, body });
        }
      });
      await page.waitFor("#sign-in-again");
      await page.hearsSomething();
      assert.deepEqual(await page.problems(), []);
      await page.signIn("anna");
      await page.gone("#sign-in-again");
      await page.shows("#connection", /^Connected$/);
      await page.shows("#call-state", /^Talking$/);
      await page.hearsSomething();
      await page.press("#hangup");
      await page.waitFor("#done");
    }),
  );

  test(
    "a copy of the tab signs nobody out",
    the(async ({ cleanup, open }) => {
      const page = await open();
      await page.signIn("anna");
      await page.shows("#connection", /^Connected$/);
      // A window that a page opens begins with a copy of its storage, as a duplicated tab does.
      const opened = new Promise((resolve) => page.page.once("popup", resolve));
      await page.page.evaluate(() => void window.open(location.href));
      const copy = new CentrePage(await opened);
      cleanup.add(() => copy.close());
      await copy.shows("#signin-note", /This tab is a copy/);
      await page.page.bringToFront();
      await page.page.reload();
      await page.shows("#connection", /^Connected$/);
    }),
  );

  test(
    "without a microphone: told so, also while it rings, and one can go on",
    the(async ({ gateway, cleanup }) => {
      const unheard = await launch("chromium", { microphone: false });
      cleanup.add(() => unheard.close());
      const page = await CentrePage.open(unheard, gateway, "agent");
      await page.signIn("anna");
      await page.shows("#connection", /^Connected$/);
      await page.press("#go-online");
      await page.shows("#trouble", /blocked the microphone/);
      assert.deepEqual(await page.problems(), []);
      await page.press("#go-on");
      await page.shows("#state-now", /^Available/);
      await page.press("#demo-call");
      await page.press("#answer");
      await page.shows("#offer #trouble", /blocked the microphone/);
      assert.deepEqual(await page.problems(), []);
      await page.press("#go-on");
      await page.shows("#call-state", /^Talking$/);
      await page.shows(".call", /has no microphone/);
      await page.press("#hangup");
      await page.waitFor("#done");
    }),
  );
});
