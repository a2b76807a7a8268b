// A browser and a phone that others wrote: linphonec, registered, which talks with keys in SDP only (SRTP).
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { certificate } from "../lib/certificate.mjs";
import { toneIn } from "../lib/heard.mjs";
import { Linphone } from "../lib/linphone.mjs";
import { folder, freePort } from "../lib/process.mjs";
import { assertTone, assertTones, BROWSER_TONE, PHONE_TONE, scene } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const THEIRS = 600;
const whole = new Cleanup();
after(() => whole.run());

const USERS = ["1001", "1003", "1004"].map((user) => `[[users]]\nname = "${user}"\npassword = "cordboard"\n`).join("");
const ECHO = '[[dial]]\nmatch = "9196"\napplication = "echo"\n';
/** The phone's calls are refused in the clear. */
const STRICT = USERS.replace(/("1003"\n.*\n)/, '$1srtp = "required"\n') + ECHO;

/** The end of what it recorded: buffers find their depth in the first moments of a call. */
function lately(phone, frequency) {
  const { samples, rate } = phone.heard();
  return toneIn(samples.subarray(-Math.round(1.2 * rate)), rate, frequency);
}

describe("linphonec, over UDP", () => {
  const stage = scene({ config: STRICT });
  const start = (cleanup, gateway) =>
    Linphone.start(cleanup, gateway, { user: "1003", password: "cordboard", tone: THEIRS, srtp: true });

  test(
    "it calls the echo, and hears itself before and after a hold",
    stage.play(async ({ gateway, cleanup }) => {
      const phone = await start(cleanup, gateway);
      const id = await phone.call(`sip:9196@${gateway.sip}`);
      await phone.says(/Media streams established/);
      await phone.hears(THEIRS, 2);
      assertTone(lately(phone, THEIRS), THEIRS, { tolerance: 1 });
      phone.command("pause");
      await phone.says(/is now paused/);
      phone.command(`resume ${id}`);
      await phone.says(/Media streams established/);
      await phone.hears(THEIRS, 1);
      phone.command("terminate");
      await phone.says(/ended \(No error\)/);
      await until("the gateway knows", () => gateway.endings().some((line) => /the caller hung up/.test(line)));
    }),
  );

  test(
    "it calls a browser: sound both ways, hold and resume",
    stage.play(async ({ gateway, client, cleanup }) => {
      const phone = await start(cleanup, gateway);
      const page = await client("chromium", { codec: "opus" });
      const id = await phone.call(`sip:1001@${gateway.sip}`);
      const call = await page.incoming();
      await call.reaches("up");
      await phone.says(/Media streams established/);
      assertTone(await call.hears(THEIRS), THEIRS);
      await phone.hears(BROWSER_TONE, 2);
      assertTone(lately(phone, BROWSER_TONE), BROWSER_TONE, { tolerance: 1 });
      phone.command("pause");
      await phone.says(/is now paused/);
      // Whoever is on hold hears its file, as its music.
      assertTone(await call.hears(THEIRS), THEIRS);
      phone.command(`resume ${id}`);
      await phone.says(/Media streams established/);
      assertTone(await call.hears(THEIRS), THEIRS);
      phone.command("terminate");
      await call.reaches("over");
    }),
  );

  test(
    "a browser calls it, and holds",
    stage.play(async ({ gateway, client, cleanup }) => {
      const phone = await start(cleanup, gateway);
      const page = await client("chromium", { codec: "opus" });
      const call = await page.call("1003");
      await phone.takes();
      await call.reaches("up");
      assertTone(await call.hears(THEIRS), THEIRS);
      await phone.hears(BROWSER_TONE, 2);
      await call.do("hold");
      await call.do("resume");
      await phone.hears(BROWSER_TONE, 1);
      assertTone(await call.hears(THEIRS), THEIRS);
      await call.hangUp();
      await phone.says(/ended/);
    }),
  );

  test(
    "its keys reach another phone",
    stage.play(async ({ gateway, phone: simple, cleanup }) => {
      const phone = await start(cleanup, gateway);
      const other = await simple("1004");
      await phone.call(`sip:1004@${gateway.sip}`);
      const there = await (await other.incoming()).reaches("up");
      await phone.says(/Media streams established/);
      for (const key of "49#") {
        phone.command(key);
        await until(`the key ${key}`, () => there.digits.endsWith(key));
      }
      assert.equal(there.digits, "49#");
      phone.command("terminate");
      await there.reaches("over");
    }),
  );

  test(
    "it transfers its caller to another phone",
    stage.play(async ({ gateway, client, phone: simple, cleanup }) => {
      const phone = await start(cleanup, gateway);
      const other = await simple("1004");
      const page = await client("chromium", { codec: "opus" });
      const call = await page.call("1003");
      const id = await phone.takes();
      await call.reaches("up");
      assertTone(await call.hears(THEIRS), THEIRS);
      phone.command(`transfer ${id} sip:1004@${gateway.sip}`);
      const there = await other.incoming();
      await there.reaches("up");
      await phone.says(/ended/);
      await assertTones([
        [call, PHONE_TONE],
        [there, BROWSER_TONE],
      ]);
      await call.hangUp();
      await there.reaches("over");
    }),
  );

  test(
    "in the clear it is refused",
    stage.play(async ({ gateway, cleanup }) => {
      const answered = () => gateway.program.err.split("call answered").length;
      const before = answered();
      const phone = await Linphone.start(cleanup, gateway, { user: "1003", password: "cordboard", tone: THEIRS });
      await phone.call(`sip:9196@${gateway.sip}`);
      await phone.says(/Call \d+ with \S+ error\./);
      assert.equal(answered(), before);
    }),
  );
});

describe("linphonec, over TLS", () => {
  let address;
  let ca;
  const stage = scene({
    config: STRICT,
    options: async () => {
      const { cert, key } = certificate(folder(whole));
      address = `127.0.0.1:${await freePort()}`;
      ca = cert;
      return { sip: `tls = "${address}"\ncertificate = "${cert}"\nkey = "${key}"` };
    },
  });

  test(
    "it registers, calls a browser, and is called",
    stage.play(async ({ gateway, client, cleanup }) => {
      const settings = { user: "1003", password: "cordboard", tone: THEIRS, srtp: true, tls: { address, ca } };
      const phone = await Linphone.start(cleanup, gateway, settings);
      const page = await client("chromium", { codec: "opus" });
      await phone.call(`sip:1001@${address};transport=tls`);
      const first = await page.incoming();
      await first.reaches("up");
      assertTone(await first.hears(THEIRS), THEIRS);
      await phone.hears(BROWSER_TONE, 1);
      phone.command("terminate");
      await first.reaches("over");
      const second = await page.call("1003");
      await phone.takes();
      await second.reaches("up");
      assertTone(await second.hears(THEIRS), THEIRS);
      await second.hangUp();
      await phone.says(/ended/);
    }),
  );
});

describe("two linphonec with a codec that the gateway does not speak", () => {
  const stage = scene({ config: USERS });
  const ALONE = ["GSM/8000"];
  const start = (cleanup, gateway, user, tone, codecs) =>
    Linphone.start(cleanup, gateway, { user, password: "cordboard", tone, codecs });

  test(
    "they hear each other by GSM, before and after a hold",
    stage.play(async ({ gateway, cleanup }) => {
      const caller = await start(cleanup, gateway, "1003", THEIRS, ALONE);
      const callee = await start(cleanup, gateway, "1004", PHONE_TONE, ALONE);
      const id = await caller.call(`sip:1004@${gateway.sip}`);
      await callee.takes();
      await caller.says(/Media streams established/);
      await caller.hears(PHONE_TONE, 2);
      await callee.hears(THEIRS, 2);
      // GSM keeps the tone, and its level about.
      assert.ok(Math.abs(lately(caller, PHONE_TONE).frequency - PHONE_TONE) < 5);
      assert.ok(Math.abs(lately(callee, THEIRS).frequency - THEIRS) < 5);
      caller.command("pause");
      await caller.says(/is now paused/);
      caller.command(`resume ${id}`);
      await caller.says(/Media streams established/);
      await caller.hears(PHONE_TONE, 1);
      caller.command("terminate");
      await caller.says(/ended \(No error\)/);
    }),
  );

  test(
    "a phone without it does not ring",
    stage.play(async ({ gateway, phone, cleanup }) => {
      const caller = await start(cleanup, gateway, "1003", THEIRS, ALONE);
      await phone("1004");
      await caller.call(`sip:1004@${gateway.sip}`);
      await caller.says(/Call \d+ with \S+ error\./);
    }),
  );
});
