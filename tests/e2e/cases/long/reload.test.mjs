// An agent's page is reloaded in the call, again and again: music for the caller, the same agent again, sound both ways, and how long
// each step takes. 50 of 50, on our desktop and on a page with JsSIP as it is, in both browsers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Api } from "../../lib/api.mjs";
import { KINDS, launch } from "../../lib/browser.mjs";
import { CentrePage } from "../../lib/centre_page.mjs";
import { Client } from "../../lib/client.mjs";
import { Gateway } from "../../lib/cordboard.mjs";
import { firstHeard } from "../../lib/heard.mjs";
import { Phone } from "../../lib/phone.mjs";
import { serveSite } from "../../lib/site.mjs";
import { tapWire } from "../../lib/tap.mjs";
import { Cleanup } from "../../lib/wait.mjs";

const RELOADS = Number(process.env.CORDBOARD_RELOADS ?? 50);
/** Of one call, before the next one is made. */
const IN_A_CALL = 10;
const PAGE_TONE = 1000;

/** Our page at /agent. */
const desktop = {
  async open({ browser, gateway, cleanup }) {
    const page = await CentrePage.open(browser, gateway, "agent");
    cleanup.add(() => page.close());
    await page.goOnline("anna");
    return {
      answer: () => page.answer(),
      async reload() {
        await page.page.reload();
        await page.shows("#call-state", /^Talking$/);
      },
      hears: () => page.hearsSomething(),
      async done() {
        await page.press("#done");
        await page.shows("#state-now", /^Available/);
      },
    };
  },
};

/** A page with unmodified JsSIP that answers whatever rings. */
const jssip = {
  async open({ browser, site, gateway, anna, cleanup }) {
    const client = await Client.open(browser, site);
    cleanup.add(() => client.close());
    const start = () => client.start({ gateway, user: "anna", library: "jssip", codec: "opus" });
    await start();
    await anna.available();
    let call;
    const take = async (n) => {
      call = await client.incoming(n);
      await call.reaches("up");
    };
    let taken = 0;
    return {
      answer: () => take(taken++),
      async reload() {
        await client.page.reload();
        await start();
        taken = 0;
        await take(taken++);
      },
      hears: () => call.hears(440, { seconds: 0.5 }),
      done: () => anna.available(),
    };
  },
};

for (const kindOf of KINDS) {
  describe(kindOf, () => {
    let browser;
    let site;
    before(async () => {
      site = await serveSite();
      browser = await launch(kindOf, { tone: PAGE_TONE });
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

    for (const [name, page] of Object.entries({ desktop, jssip })) {
      test(`${name}: ${RELOADS} of ${RELOADS} reloads in a call`, async () => {
        const cleanup = new Cleanup();
        const figures = { gone: [], music: [], called: [], talk: [] };
        try {
          const gateway = await Gateway.start(cleanup);
          const wire = await tapWire(gateway.httpPort);
          cleanup.add(() => wire.close());
          const through = { ...gateway, page: `http://127.0.0.1:${wire.port}/`, ws: `ws://127.0.0.1:${wire.port}/ws` };
          const [anna, ben, sue] = await Promise.all(["anna", "ben", "sue"].map((user) => Api.signIn(gateway, user)));
          const hands = await page.open({ browser, site, gateway: through, anna, cleanup });
          const caller = await Phone.start({ user: "1003", server: gateway.port });
          cleanup.add(() => caller.close());
          assert.equal(await caller.register(), 200);
          const other = await Phone.start({ user: "ben", server: gateway.port });
          cleanup.add(() => other.close());
          assert.equal(await other.register(), 200);

          let call;
          for (let n = 0; n < RELOADS; n++) {
            if (n % IN_A_CALL === 0) {
              call = await caller.call("9001");
              await call.reaches("up");
              await hands.answer();
              await anna.status("talking");
              // From here on there is somebody else who could take it.
              await ben.available();
            }
            await call.hears(PAGE_TONE, { seconds: 0.5 });
            call.forget();
            const { packets } = call.rtp;
            const begun = Date.now();
            const reloaded = hands.reload();
            const away = await sue.call("away").then(({ since }) => Date.parse(since));
            await reloaded;
            await call.hears(PAGE_TONE, { seconds: 0.5 });
            await hands.hears();
            const { agent } = await sue.call("talking");
            assert.equal(agent, "usr_anna");

            const music = firstHeard(packets, "music", begun, PAGE_TONE);
            const registered = wire.first("REGISTER", away);
            const invited = wire.first("INVITE", registered);
            const answered = wire.first("ACK", invited);
            const talk = firstHeard(packets, "tone", invited, PAGE_TONE);
            figures.gone.push(away - begun);
            figures.music.push(music - away);
            figures.called.push(invited - registered);
            figures.talk.push(talk - answered);
            const told = `reload ${n}: ${JSON.stringify({ begun, away, music, registered, invited, answered, talk })}`;
            assert.ok(music - away <= 300, told);
            assert.ok(invited - registered <= 1_000, told);
            assert.ok(talk - answered <= 1_000, told);
            assert.deepEqual(other.calls, [], told);
            if ((n + 1) % IN_A_CALL === 0 || n + 1 === RELOADS) {
              await ben.ask("PUT", "/me/agent/intent", { intent: "offline" });
              await call.hangUp();
              await anna.status("wrap-up");
              await hands.done();
              await anna.status("available");
            }
          }
        } catch (error) {
          error.message += `\n${JSON.stringify(figures)}`;
          throw error;
        } finally {
          for (const [what, times] of Object.entries(figures)) {
            times.sort((a, b) => a - b);
            console.log(
              `${kindOf} ${name} ${what}: median ${times[times.length >> 1]} ms, most ${times.at(-1)} ms, of ${times.length}`,
            );
          }
          await cleanup.run();
        }
      });
    }
  });
}
