import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { launch } from "../lib/browser.mjs";
import { CentrePage } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { killed, spread } from "../lib/killed.mjs";
import { Phone } from "../lib/phone.mjs";
import { assertTones, BROWSER_TONE, everyClient, PHONE_TONE } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

test("the gateway is killed with a full queue: everybody keeps their place, and nothing that was told is lost", async (t) => {
  const { silences, recalls } = await killed({ times: 2, waiting: 12 });
  t.diagnostic(`callers heard nothing: ${spread(silences)}; agent and caller back together: ${spread(recalls)}`);
});

test("the desktop has its call again after a kill, without a hand", async () => {
  const cleanup = new Cleanup();
  try {
    const gateway = await Gateway.start(cleanup);
    const browser = await launch("chromium", { tone: BROWSER_TONE });
    cleanup.add(() => browser.close());
    const page = await CentrePage.open(browser, gateway, "agent");
    cleanup.add(() => page.close());
    await page.goOnline("anna");
    const phone = await Phone.start({ user: "1003", server: gateway.port });
    cleanup.add(() => phone.close());
    const call = await phone.call("9001");
    await page.answer();
    await call.hears(BROWSER_TONE, { seconds: 0.5 });
    const anna = await Api.signIn(gateway, "anna");
    const { call: id } = await anna.agent();
    await gateway.killed();
    call.forget();
    await call.hears(BROWSER_TONE, { seconds: 1 });
    await page.shows("#call-state", /^Talking$/);
    await page.hearsSomething();
    assert.equal((await anna.agent()).call, id);
    await page.press("#hangup");
    await call.reaches("over");
    await page.waitFor("#done");
    assert.deepEqual(page.page.problems, []);
  } finally {
    await cleanup.run();
  }
});

everyClient(({ stage, kind, library }) => {
  test(
    "a caller in a browser goes on too, or is told that the call is over",
    stage.play(async ({ gateway, client, phone, cleanup }) => {
      const caller = await client(kind, { user: "1001", library, codec: "opus" });
      const call = await caller.call("9001");
      await call.reaches("up");
      const sue = await Api.signIn(gateway, "sue");
      const { id } = await sue.call("waiting");
      if (kind === "firefox") {
        // It takes no new keys in a call: it is told that the call is over, and whoever calls again has the old place.
        const other = await phone("1003");
        const there = await other.call("9001");
        await there.reaches("up");
        cleanup.add(() => there.hangUp());
        await gateway.killed();
        await call.reaches("over", 25_000);
        const [record] = (await sue.ask("GET", "/records")).items;
        assert.deepEqual([record.call, record.outcome], [id, "lost"]);
        const again = await caller.call("9001");
        await again.reaches("up");
        cleanup.add(() => again.hangUp());
        let seen;
        await until("the old place", async () => {
          seen = (await sue.ask("GET", "/calls")).items.map((one) => `${one.from.number} ${one.position}`).sort();
          return seen.join() === "1001 1,1003 2";
        }).catch(() => assert.fail(seen.join()));
        return;
      }
      const agent = await Phone.start({ user: "anna", server: gateway.port });
      cleanup.add(() => agent.close());
      const anna = await Api.signIn(gateway, "anna");
      await anna.available();
      cleanup.add(() => anna.ask("PUT", "/me/agent/intent", { intent: "offline" }));
      await gateway.killed();
      assert.equal(await agent.register(), 200);
      const taken = await agent.incoming(0, 30_000);
      await taken.reaches("up");
      await assertTones(
        [
          [call, PHONE_TONE],
          [taken, BROWSER_TONE],
        ],
        { tolerance: 0.42 },
      );
      assert.equal((await anna.agent()).call, id);
      await taken.hangUp();
      await call.reaches("over");
    }),
  );
});
