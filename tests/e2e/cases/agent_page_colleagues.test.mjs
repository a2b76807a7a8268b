// The agent desktop in calls that colleagues get: consultation, transfer, three-way calls, and signing out in a call.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { play } from "../lib/agent_page.mjs";
import { Api } from "../lib/api.mjs";
import { launch } from "../lib/browser.mjs";
import { until } from "../lib/wait.mjs";

describe("for everybody", () => {
  let browser;
  const the = (act) => play(() => browser, act);
  before(async () => {
    browser = await launch("chromium");
  });
  after(() => browser?.close());

  test(
    "calls to one's own number are forwarded, or refused without a ring, while queues offer calls all the same",
    the(async ({ gateway, open }) => {
      const anna = await open();
      await anna.goOnline("anna");
      await anna.press("#call-handling summary");
      await anna.press("#do-not-disturb");
      await anna.shows("#call-handling-now", /^not disturbed$/);
      const own = await Api.signIn(gateway, "anna");
      assert.equal((await own.ask("GET", "/me/call-handling")).do_not_disturb, true);
      await anna.page.type("#forward-all", "ben");
      await anna.press("#forward-all-set");
      await anna.shows("#call-handling-now", /^to ben$/);
      assert.deepEqual(await anna.problems(), []);
      await anna.press("#demo-call");
      await anna.answer();
      await anna.press("#hangup");
      await anna.waitFor("#done");
      await anna.press("#forward-all-stop");
      await anna.shows("#call-handling-now", /^not disturbed$/);
      await anna.press("#do-not-disturb");
      await anna.gone("#call-handling-now");
      const { do_not_disturb, forward, from_file } = await own.ask("GET", "/me/call-handling");
      assert.deepEqual([do_not_disturb, forward.always, from_file], [false, null, false]);
    }),
  );

  test(
    "signing out in a call asks first, and gives the caller back to the queue",
    the(async ({ gateway, open }) => {
      const anna = await open();
      await anna.goOnline("anna");
      await anna.press("#demo-call");
      await anna.answer();
      const sue = await Api.signIn(gateway, "sue");
      const before = await sue.call("talking");
      await anna.press("#sign-out");
      await anna.shows("#sign-out-ask", /Demo caller goes back to the queue/);
      assert.equal(await anna.focused(), "sign-out-stay");
      assert.deepEqual(await anna.problems(), []);
      await anna.screenshot("agent-sign-out");
      await anna.press("#sign-out-stay");
      await anna.gone("#sign-out-ask");
      await anna.shows("#call-state", /^Talking$/);
      await anna.press("#sign-out");
      await anna.press("#sign-out-go");
      await anna.waitFor("#user");
      const waiting = await sue.call("waiting");
      assert.deepEqual([waiting.id, waiting.entered_at, waiting.position], [before.id, before.entered_at, 1]);
      assert.equal((await sue.ask("GET", "/agents/usr_anna")).status, "offline");
      const ben = await open();
      await ben.signIn("ben");
      await ben.shows("#connection", /^Connected$/);
      await ben.press("#go-online");
      await ben.answer();
      assert.equal((await sue.call("talking")).id, before.id);
      await ben.press("#hangup");
      await ben.waitFor("#done");
    }),
  );

  test(
    "who stays in a call of three has the call, its queue and its notes",
    the(async ({ gateway, open }) => {
      const [anna, ben] = [await open(), await open()];
      await ben.goOnline("ben");
      await ben.press('[data-intent="meeting"]');
      await anna.page.bringToFront();
      await anna.goOnline("anna");
      await anna.press("#demo-call");
      await anna.answer();
      await anna.type("#notes", "Wants to cancel.");
      await anna.press(".noting .pick:nth-of-type(2)");
      await anna.shows("#draft-state", /^Saved$/);
      await anna.press("#transfer");
      await anna.press('[data-consult="usr_ben"]');
      await ben.page.bringToFront();
      await ben.shows("#offer", /Consultation.*Support.*Anna.*asks about Demo caller.*waited.*Wants to cancel\./s);
      assert.match(await ben.text("#idle-title"), /^Direct call$/);
      assert.deepEqual(await ben.problems(), []);
      await ben.screenshot("agent-consultation");
      await ben.press("#answer");
      await ben.shows("#call-about", /^Anna's call with Demo caller$/);
      await anna.page.bringToFront();
      await anna.press("#merge");
      await ben.page.bringToFront();
      await ben.shows("#call-state", /^Three-way$/);
      await anna.page.bringToFront();
      await anna.press("#leave");
      await anna.waitFor("#done");
      await ben.page.bringToFront();
      await ben.shows(".peer", /^Demo caller$/);
      await ben.shows(".call-who", /Support.*Transferred by Anna/s);
      await ben.shows(".notes-before", /Notes by Anna.*Wants to cancel\./s);
      await ben.waitFor(".noting .pick:nth-of-type(2) input:checked");
      await ben.waitFor("#transfer:not(:disabled)");
      await ben.hearsSomething();
      await ben.screenshot("agent-inherited");
      const sue = await Api.signIn(gateway, "sue");
      const call = await sue.call("talking");
      assert.deepEqual([call.agent, call.parties.length], ["usr_ben", 2]);
      await ben.type("#notes", "Cancelled it.");
      await ben.shows("#draft-state", /^Saved$/);
      await ben.press("#hangup");
      await ben.waitFor("#done");
      await ben.shows(".notes-before", /Wants to cancel\./);
      await ben.shows(".record", /Demo caller.*Cancelled it\..*Notes by Anna.*Wants to cancel\./s);
      const [record] = (await sue.ask("GET", "/records")).items;
      assert.deepEqual(
        record.agents.map(({ id }) => id),
        ["usr_anna", "usr_ben"],
      );
      assert.equal(record.notes, "Anna: Wants to cancel.\nBen: Cancelled it.");
    }),
  );

  test(
    "a call that is sent on says by whom, and what was noted",
    the(async ({ open }) => {
      const [anna, ben] = [await open(), await open()];
      await anna.goOnline("anna");
      await anna.press("#demo-call");
      await anna.answer();
      await ben.page.bringToFront();
      await ben.goOnline("ben");
      await anna.page.bringToFront();
      await anna.type("#notes", "Third call today.");
      await anna.shows("#draft-state", /^Saved$/);
      await anna.press("#transfer");
      await anna.press('[data-transfer="usr_ben"]');
      await ben.page.bringToFront();
      await ben.shows("#offer", /Support.*Demo caller.*Transferred by Anna.*Third call today\./s);
      await ben.screenshot("agent-transferred");
      await ben.answer();
      await ben.shows(".call", /Transferred by Anna.*Notes by Anna.*Third call today\./s);
      await ben.press("#hangup");
      await ben.waitFor("#done");
    }),
  );

  test(
    "asks a colleague, and connects the caller",
    the(async ({ open }) => {
      const anna = await open();
      const ben = await open();
      await ben.goOnline("ben");
      await ben.press('[data-intent="meeting"]');
      await ben.shows("#state-now", /^Paused: Meeting/);
      await anna.page.bringToFront();
      await anna.goOnline("anna");
      await anna.press("#demo-call");
      await anna.answer();
      await anna.press("#transfer");
      await until("the field has the focus", async () => (await anna.focused()) === "transfer-find");
      await anna.page.keyboard.type("be");
      await anna.press('[data-consult="usr_ben"]');
      await anna.shows("#consult", /Asking Ben.*Ringing/s);
      await ben.page.bringToFront();
      assert.match(await ben.text("#offer-who"), /^Anna$/);
      await ben.press("#answer");
      await anna.page.bringToFront();
      await anna.shows("#consult", /Talking/);
      await anna.press("#back");
      await anna.shows("#call-state", /^Talking$/);
      await ben.gone("#call-state");
      await anna.press("#transfer");
      await anna.press('[data-consult="usr_ben"]');
      await ben.page.bringToFront();
      await ben.press("#answer");
      await anna.page.bringToFront();
      await anna.press("#complete");
      await anna.waitFor("#done");
      await ben.page.bringToFront();
      await ben.shows(".peer", /^Demo caller$/);
      await ben.hearsSomething();
      await ben.press("#hangup");
      await ben.waitFor("#done");
    }),
  );
});
