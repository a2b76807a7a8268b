// The agent desktop at /agent, with demo callers of the gateway: everything by what the page shows.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { KINDS, launch } from "../lib/browser.mjs";
import { CentrePage, VIEWS } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { cutWire } from "../lib/relay.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Plays a case on a gateway of its own, so that no agent is left in a state of the case before. */
const play = (browser, act) => async () => {
  const cleanup = new Cleanup();
  try {
    const gateway = await Gateway.start(cleanup);
    const open = async (view, from = gateway) => {
      const page = await CentrePage.open(browser(), from, "agent", view);
      cleanup.add(async () => {
        assert.deepEqual(page.page.problems, []);
        await page.close();
      });
      return page;
    };
    await act({ gateway, cleanup, open });
  } finally {
    await cleanup.run();
  }
};

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
