// An admin adds a queue and an agent by the API: they take a call at once, and a killed gateway still has them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { launch } from "../lib/browser.mjs";
import { CentrePage } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { Phone } from "../lib/phone.mjs";
import { BROWSER_TONE } from "../lib/scene.mjs";
import { Cleanup } from "../lib/wait.mjs";

test("a queue and an agent that were added take calls, before and after a kill", async () => {
  const cleanup = new Cleanup();
  try {
    const gateway = await Gateway.start(cleanup);
    const sue = await Api.signIn(gateway, "sue");
    const queue = await sue.ask("POST", "/queues", { name: "billing", display: "Billing", number: "9100" });
    const user = await sue.ask("POST", "/users", {
      name: "clara",
      display: "Clara",
      roles: ["agent"],
      agent: { queues: [{ queue: queue.id }] },
      password: "cordboard",
    });
    const browser = await launch("chromium", { tone: BROWSER_TONE });
    cleanup.add(() => browser.close());
    const page = await CentrePage.open(browser, gateway, "agent");
    cleanup.add(() => page.close());
    await page.goOnline("clara");
    const phone = await Phone.start({ user: "1003", server: gateway.port });
    cleanup.add(() => phone.close());
    const takes = async () => {
      const call = await phone.call("9100");
      await page.answer();
      await call.hears(BROWSER_TONE, { seconds: 0.5 });
      const live = await sue.call("talking");
      assert.deepEqual([live.queue.name, live.agent], ["Billing", user.id]);
      await page.press("#hangup");
      await call.reaches("over");
      await page.press("#done");
    };
    await takes();
    await gateway.killed();
    const clara = await Api.signIn(gateway, "clara");
    await clara.status("available", 20_000);
    await takes();
    assert.deepEqual(page.page.problems, []);
  } finally {
    await cleanup.run();
  }
});
