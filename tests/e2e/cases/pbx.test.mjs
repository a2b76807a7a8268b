// Browsers at a PBX behind the gateway (Kamailio), with JsSIP and SIP.js as they are: they register there with their own passwords, and
// call phones and each other through it.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Baresip } from "../lib/baresip.mjs";
import { at, DOMAIN, PASSWORD, startPbx } from "../lib/pbx.mjs";
import { assertTone, BROWSER_TONE, scene } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const PHONE_TONE = 600;
const whole = new Cleanup();
after(() => whole.run());

for (const [kind, library] of [
  ["chromium", "jssip"],
  ["chromium", "sipjs"],
  ["firefox", "jssip"],
]) {
  describe(`${kind}, ${library}`, () => {
    let pbx;
    const stage = scene({
      browsers: { [kind]: [kind] },
      config: async () => {
        pbx = await startPbx(whole);
        return `upstream = "pbx"
grace = 20
[[trunks]]
name = "pbx"
address = "${pbx.address}"
from_domain = "${DOMAIN}"
`;
      },
    });
    /** A page that is somebody at the PBX. */
    const page = (client, user, more) => client(kind, { user, password: PASSWORD, uri: at(user), library, ...more });
    const phone = (cleanup, user) =>
      Baresip.start(
        cleanup,
        { sip: pbx.address },
        { user, password: PASSWORD, tone: PHONE_TONE, params: `;outbound="sip:${pbx.address}"` },
      );

    test(
      "it registers at the PBX, is called by a phone there, and unregisters",
      stage.play(async ({ client, cleanup }) => {
        const alice = await page(client, "alice");
        const bob = await phone(cleanup, "bob");
        await bob.command("dial", "alice");
        const call = await alice.incoming();
        await call.reaches("up");
        assertTone(await call.hears(PHONE_TONE), PHONE_TONE);
        await bob.hears(BROWSER_TONE, 2);
        await bob.command("hangup");
        await call.reaches("over");
        await alice.page.evaluate(() => client.stop());
        await pbx.program.says(/REGISTERED alice expires 0/);
      }),
    );

    test(
      "it calls a phone there, holds, and resumes",
      stage.play(async ({ client, cleanup }) => {
        const carol = await page(client, "carol");
        const bob = await phone(cleanup, "dave");
        const call = await carol.call(at("dave"));
        await bob.event("CALL_INCOMING");
        await bob.command("accept");
        await call.reaches("up");
        assertTone(await call.hears(PHONE_TONE), PHONE_TONE);
        await bob.hears(BROWSER_TONE, 1);
        await call.do("hold");
        await call.do("resume");
        assertTone(await call.hears(PHONE_TONE), PHONE_TONE);
        await call.hangUp();
        await bob.event("CALL_CLOSED");
        assert.match(pbx.program.err, /INVITE from carol@pbx\.test to dave/);
      }),
    );

    test(
      "two browsers talk through it",
      stage.play(async ({ client }) => {
        const erin = await page(client, "erin");
        const frank = await page(client, "frank");
        const call = await erin.call(at("frank"));
        const there = await frank.incoming();
        await Promise.all([call.reaches("up"), there.reaches("up")]);
        assertTone(await there.hears(BROWSER_TONE), BROWSER_TONE);
        await there.hangUp();
        await call.reaches("over");
      }),
    );

    test(
      "a wrong password is refused by the PBX, and nobody who is not there is called",
      stage.play(async ({ client }) => {
        const mallory = await page(client, "mallory", { password: "guess", expect: "failed" });
        assert.ok([401, 403].includes(await mallory.get("refused")));
        const grace = await page(client, "grace");
        const call = await grace.call(at("nobody"));
        assert.equal((await call.reaches("over")).code, 480);
      }),
    );

    test(
      "a blind transfer is carried out by the phone",
      stage.play(async ({ client, cleanup }) => {
        const heidi = await page(client, "heidi");
        const [ivan, judy] = [await phone(cleanup, "ivan"), await phone(cleanup, "judy")];
        const call = await heidi.call(at("ivan"));
        await ivan.event("CALL_INCOMING");
        await ivan.command("accept");
        await call.reaches("up");
        assertTone(await call.hears(PHONE_TONE), PHONE_TONE);
        await call.do("refer", at("judy"));
        await judy.event("CALL_INCOMING");
        await judy.command("accept");
        await judy.hears(PHONE_TONE, 1);
        await until("the page is told", async () => (await call.summary()).told.includes(200));
        await call.reaches("over");
      }),
    );

    // baresip 1.0 knows no Replaces, and calls the other phone beside the call that it was to take over.
    test(
      "an attended transfer names the second call as the phones know it",
      stage.play(async ({ client, cleanup }) => {
        const kate = await page(client, "kate");
        const [liam, mona] = [await phone(cleanup, "liam"), await phone(cleanup, "mona")];
        const first = await kate.call(at("liam"));
        await liam.event("CALL_INCOMING");
        await liam.command("accept");
        await first.reaches("up");
        await first.do("hold");
        const second = await kate.call(at("mona"));
        const { id } = await mona.event("CALL_INCOMING");
        await mona.command("accept");
        await second.reaches("up");
        await first.do("refer", at("mona"), second.index);
        await pbx.program.says(new RegExp(`IN DIALOG REFER from kate <sip:mona@pbx\\.test\\?Replaces=${id}%3B`, "i"));
        await until("the phone follows", () => mona.events.filter(({ type }) => type === "CALL_INCOMING").length === 2);
        await until("the page is told", async () => (await first.summary()).told.includes(100));
        await second.hangUp();
        await first.hangUp();
      }),
    );

    test(
      "the gateway starts again, and calls reach the page within ten seconds",
      stage.play(async ({ gateway, client, cleanup }) => {
        await page(client, "nina").then(async (nina) => {
          const bob = await phone(cleanup, "oscar");
          await gateway.killed();
          await bob.command("dial", "nina");
          const began = Date.now();
          const call = await nina.incoming(0, 15_000);
          assert.ok(Date.now() - began < 10_000, `${Date.now() - began} ms`);
          await call.reaches("up");
          await bob.command("hangup");
          await call.reaches("over");
        });
      }),
    );
  });
}
