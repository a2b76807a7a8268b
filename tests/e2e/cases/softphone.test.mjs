// The softphone page as people meet it: calls that come while they are elsewhere on it, bad lines, lost parties, transfers, two tabs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS, launch } from "../lib/browser.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { DemoPage } from "../lib/demo.mjs";
import { Phone } from "../lib/phone.mjs";
import { LIBRARIES } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

/** What Firefox itself writes where a case takes the gateway or the network away. */
const FIREFOX = /ICE failed|establish a connection/;
const LONG_NAME = "Maximiliane von Hohenlohe-Waldenburg of Accounts";

const whole = new Cleanup();
let gateway;
let named;
before(async () => {
  gateway = await Gateway.start(whole);
  const users = { 1001: "", 1002: "", 1003: LONG_NAME };
  named = await Gateway.start(
    whole,
    Object.entries(users)
      .map(
        ([name, display]) => `[[users]]
name = "${name}"
password = "cordboard"
${display && `display = "${display}"`}`,
      )
      .join("\n"),
  );
});
after(() => whole.run());

const play = (act) => async () => {
  const cleanup = new Cleanup();
  const open = async (browser, settings, view) => {
    const page = await DemoPage.open(browser, view?.address ?? gateway.page, settings, view);
    cleanup.add(async () => {
      await page.close();
      assert.deepEqual(
        page.page.problems.filter((problem) => !FIREFOX.test(problem)),
        [],
      );
    });
    return page;
  };
  const phone = async (user = "1003") => {
    const phone = await Phone.start({ user, server: gateway.port });
    cleanup.add(() => phone.close());
    assert.equal(await phone.register(), 200);
    cleanup.add(() => phone.register({ expires: 0 }));
    return phone;
  };
  try {
    await act({ open, phone, cleanup });
  } finally {
    await cleanup.run();
  }
};

/** What a person sees of an element: whether all of it is in sight and nothing lies over it. */
const inSight = (page, selector) =>
  page.page.$eval(selector, (element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const whole = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    return whole && element.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
  });
const focused = (page) => page.page.evaluate(() => document.activeElement?.id);
const toAccount = async (page) => {
  await page.page.$$eval("#account, #sound", (all) => {
    for (const one of all) one.open = true;
  });
  await page.page.$eval("#domain", (field) => field.scrollIntoView({ block: "center" }));
  assert.ok(await page.page.evaluate(() => scrollY > 100), "the page is scrolled");
};
const call = async (caller, number) => {
  await caller.page.bringToFront();
  await caller.type("#number", number);
  await caller.press("#call");
};

for (const kind of KINDS) {
  describe(kind, () => {
    let browser;
    before(async () => {
      browser = await launch(kind);
    });
    after(() => browser?.close());

    const touch = kind === "chromium" ? { isMobile: true, hasTouch: true } : {};
    const VIEWS = {
      phone: { viewport: { width: 390, height: 844, ...touch } },
      desktop: { viewport: { width: 1280, height: 800 } },
    };
    for (const [name, view] of Object.entries(VIEWS)) {
      test(
        `${name}: a call is in sight wherever the page is scrolled, and so is its card once it is answered`,
        play(async ({ open }) => {
          const address = named.page;
          const page = await open(browser, { user: "1001" }, { ...view, address });
          const again = await open(browser, { user: "1001", lib: "sipjs" }, { ...view, address });
          const caller = await open(browser, { user: "1002" }, { address });
          await toAccount(page);
          await toAccount(again);
          await call(caller, "1001");
          // Both tabs ring.
          for (const tab of [again, page]) {
            await tab.page.bringToFront();
            await tab.waitFor("#answer");
            for (const button of ["#answer", "#reject", "#busy"]) assert.ok(await inSight(tab, button), button);
            assert.equal(await focused(tab), "answer");
          }
          await page.page.keyboard.press("Enter");
          await page.shows("#call-state", /^Connected$/);
          assert.ok(await inSight(page, "#hangup"), "the call is in sight");
          await until("the other tab rings no more", async () => !(await again.has("#answer")));
          assert.equal(await again.has("#notice"), false);
          // A second call while the first is up, from somebody with a long name.
          const long = await open(browser, { user: "1003" }, { address });
          await call(long, "1001");
          await page.page.bringToFront();
          await page.shows("#answer", /^Hold and answer$/);
          for (const button of ["#answer", "#reject", "#busy"]) assert.ok(await inSight(page, button), button);
          assert.equal(await page.text(".incoming-name"), LONG_NAME);
          const lines = await page.page.$eval("#answer span", (words) => words.getClientRects().length);
          assert.equal(lines, 1, "the button is one line");
          await again.waitFor("#answer");
          await page.press("#reject");
          await long.shows("#notice", /declined the call/);
          await until("who declines at one phone is rung at no other", async () => !(await again.has("#answer")));
          assert.equal(await again.has("#notice"), false);
          await page.press("#hangup");
          await page.waitFor("#recents");
          const cut = await page.page.$$eval(
            ".recent-peer",
            (all) => all.filter((one) => one.scrollWidth > one.clientWidth).length,
          );
          assert.equal(cut, 0, "no name is cut");
        }),
      );
    }

    test(
      "whoever types goes on typing, and is told of the call",
      play(async ({ open }) => {
        const page = await open(browser, { user: "1001" }, VIEWS.desktop);
        const caller = await open(browser, { user: "1002" });
        await toAccount(page);
        await page.page.bringToFront();
        await page.type("#displayName", "Ann");
        await call(caller, "1001");
        await page.page.bringToFront();
        await page.waitFor("#answer");
        assert.ok(await inSight(page, "#answer"));
        assert.equal(await focused(page), "displayName");
        await page.shows('.incoming [role="alert"]', /^Incoming call from .*1002$/);
        await caller.press("#hangup");
        await until("it rings no more", async () => !(await page.has("#answer")));
        await page.page.keyboard.type(" Lee");
        assert.equal(await page.page.$eval("#displayName", (field) => field.value), "Ann Lee");
        // The name goes out as it was typed.
        await page.page.evaluate(() => {
          const { send } = WebSocket.prototype;
          window.sent = [];
          WebSocket.prototype.send = function (text) {
            window.sent.push(text);
            send.call(this, text);
          };
        });
        await page.press('#account button[type="submit"]');
        await until("it registers by that name", () =>
          page.page.evaluate(() => window.sent.some((text) => /^REGISTER/.test(text) && /^From: "Ann Lee" </m.test(text))),
        );
        await page.shows("#standing", /^Ready as 1001$/);
      }),
    );

    test(
      "each tab keeps its account over a reload, and a new one begins with the last",
      play(async ({ open }) => {
        const first = await open(browser, {});
        const user = /as (\d+)/.exec(await first.text("#standing"))[1];
        const second = await open(browser, {});
        await second.press("#account summary");
        await second.type("#user", "1002");
        await second.press('#account button[type="submit"]');
        await second.shows("#standing", /^Ready as 1002$/);
        await first.page.reload();
        await first.shows("#standing", new RegExp(`^Ready as ${user}$`));
        await second.page.reload();
        await second.shows("#standing", /^Ready as 1002$/);
        // The address bar names the account until another one is chosen.
        const named = await open(browser, { user: "1003" });
        await named.shows("#standing", /^Ready as 1003$/);
        await named.page.reload();
        await named.shows("#standing", /^Ready as 1003$/);
        await named.press("#account summary");
        await named.type("#user", "1001");
        await named.press('#account button[type="submit"]');
        await named.shows("#standing", /^Ready as 1001$/);
        await named.page.reload();
        await named.shows("#standing", /^Ready as 1001$/);
      }),
    );

    for (const lib of LIBRARIES) {
      describe(lib, () => {
        test(
          "the connection shown is the one heard: loss of the other side counts, and silence is called so",
          play(async ({ open, phone }) => {
            const far = await phone();
            const page = await open(browser, { lib, dial: "1003" });
            await page.press("#call");
            await page.shows("#call-state", /^Connected$/);
            const there = await (await far.incoming()).reaches("up");
            await page.shows("#grade", /^Good connection$/);
            there.rtp.lose(5);
            await page.shows("#far-loss-out", /^(1[5-9]|2[0-5])\.\d%$/);
            await page.shows("#grade", /^(Fair|Poor) connection$/);
            there.rtp.lose(0);
            await page.shows("#grade", /^Good connection$/, 20_000);
            there.rtp.quiet();
            await page.shows("#grade", /^No sound$/, 6_000);
            await page.shows(".callcard", /No sound arrives/);
            assert.equal(await page.has(".mos"), false);
            there.rtp.play(440);
            await page.shows("#grade", /connection$/);
            assert.doesNotMatch(await page.text(".callcard"), /No sound/);
            await page.press("#hangup");
          }),
        );

        test(
          "a party whose tab is gone is told from one that hung up, and one that holds from one that talks",
          play(async ({ open }) => {
            const gone = await open(browser, { lib, user: "1002" });
            const page = await open(browser, { lib, dial: "1002" });
            await page.press("#call");
            await gone.press("#answer");
            await gone.shows("#call-state", /^Connected$/);
            await page.shows("#grade", /^Good connection$/);
            await gone.press("#hold");
            await page.shows("#call-state", /put you on hold/);
            await page.shows("#grade", /^On hold$/);
            await gone.press("#hold");
            await page.shows("#call-state", /^Connected$/);
            await gone.page.goto("about:blank");
            await page.shows("#call-state", /lost the connection/, 8_000);
            await page.shows("#far-away", /until the other side is back/);
            await page.shows("#grade", /disconnected/);
            await page.shows("#notice", /because 1002 lost the connection/, 25_000);
            assert.match(await page.text("#recents"), /^1002disconnected/);
          }),
        );

        test(
          "gives a call away by REFER: to a number, to nobody, to another call",
          play(async ({ open, phone }) => {
            const [far, third] = [await phone("1003"), await phone("1004")];
            const page = await open(browser, { lib, dial: "1003" });
            await page.press("#call");
            await page.shows("#call-state", /^Connected$/);
            const there = await (await far.incoming()).reaches("up");
            await page.press("#transfer");
            await page.type("#transfer-to", "77");
            await page.press("#transfer-now");
            await page.shows("#notice", /not transferred\. No such number: 77/);
            await page.shows("#call-state", /^Connected$/);
            third.behaviour = "ring";
            await page.press("#transfer");
            await page.type("#transfer-to", "1004");
            await page.press("#transfer-now");
            await page.shows("#call-state", /^Transferring to 1004$/);
            const asked = await third.incoming();
            asked.answer();
            await page.shows("#notice", /^1003 was transferred to 1004/);
            await asked.reaches("up");
            await there.hangUp();
            await asked.reaches("over");

            // Asked first: the one on hold and the one who was asked are joined.
            third.behaviour = "answer";
            await call(page, "1003");
            await page.shows("#call-state", /^Connected$/);
            const held = await (await far.incoming(1)).reaches("up");
            await page.press("#hold");
            await page.shows("#call-state", /^On hold$/);
            const fourth = await open(browser, { lib, user: "1002" });
            await fourth.page.bringToFront();
            await call(fourth, "1001");
            await page.page.bringToFront();
            await page.press("#answer");
            await page.shows(".others", /1003/);
            await page.press("#transfer");
            await page.press('[data-join="1003"]');
            await page.shows("#notice", /was transferred to 1003/);
            await page.waitFor("#number");
            await fourth.shows("#call-state", /^Connected$/);
            await fourth.press("#hangup");
            await held.reaches("over");
          }),
        );

        test(
          "a call that failed leaves its number, looks failed, and says why once",
          play(async ({ open }) => {
            const page = await open(browser, { lib });
            await page.page.bringToFront();
            await page.type("#number", "77");
            await page.page.keyboard.press("Enter");
            await page.shows("#notice", /^No such number: 77/);
            assert.equal(await page.page.$eval("#number", (field) => field.value), "77");
            assert.ok(await page.has("#recents .arrow.missed"), "the call looks failed");
            // The next key of the pad begins another number.
            await page.press('.dialer [data-key="9"]');
            assert.equal(await page.page.$eval("#number", (field) => field.value), "9");
          }),
        );

        test(
          "a browser that finds no network for the sound says so",
          play(async ({ open }) => {
            const page = await open(browser, { lib });
            // Candidates of relays alone, of which there are none.
            await page.page.evaluate(() => {
              const Plain = RTCPeerConnection;
              window.RTCPeerConnection = class extends Plain {
                constructor(configuration) {
                  super({ ...configuration, iceTransportPolicy: "relay" });
                }
              };
            });
            await page.press('[data-dial="9196"]');
            // A library that ends a call without a way says so once it is over.
            await page.shows("#routeless, #notice", /no network for the call/, 8_000);
            assert.equal(await page.has(".mos"), false, "and calls the connection neither good nor bad");
            await page.page.$$eval("#hangup", ([button]) => button?.click());
            await page.waitFor("#number");
          }),
        );
      });
    }

    test(
      "without the gateway the same thing is not said twice, and the number stays",
      play(async ({ cleanup, open }) => {
        const own = await Gateway.start(cleanup);
        const page = await open(browser, {}, { address: own.page });
        await own.program.stop();
        await page.shows("#standing-notice", /cannot be reached/);
        await page.page.bringToFront();
        await page.type("#number", "9196");
        await page.page.keyboard.press("Enter");
        await page.shows("#notice", /^9196 was not called/);
        assert.equal(await page.page.$eval("#number", (field) => field.value), "9196");
      }),
    );

    test(
      "an address without a page says so, and leads to those there are",
      play(async ({ cleanup }) => {
        for (const path of ["agents", "a/b/wallbord"]) {
          const page = await browser.open(new URL(path, gateway.page).href);
          cleanup.add(() => page.close());
          assert.equal(await page.$eval("h1", (title) => title.textContent), "Page not found");
          const links = await page.$$eval("a", (all) => all.map(({ href }) => href));
          assert.deepEqual(
            links,
            ["", "agent", "wallboard"].map((name) => new URL(name, gateway.page).href),
          );
          assert.notEqual(await page.$eval("a", (link) => getComputedStyle(link).fontWeight), "400", "it has its style");
        }
      }),
    );
  });
}
