// Feature codes that desk phones dial: settings of their users, and calls that ring elsewhere.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { listening } from "../lib/lateness.mjs";
import { Phone } from "../lib/phone.mjs";
import { assertTones, PHONE_TONE } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const ON = 1004;
const OFF = 440;
const users = ["1003", "1004", "1005", "1006"].map((name) => `[[users]]\nname = "${name}"\npassword = "cordboard"\n`).join("");

describe("feature codes", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  let gateway;
  before(async () => {
    gateway = await Gateway.start(
      whole,
      `[feature_codes]
pick_up_group = "*80"
[[users]]
name = "boss"
password = "cordboard"
roles = "admin"
${users}[[groups]]
name = "sales"
number = "7100"
members = ["1003", "1004"]
`,
    );
  });
  afterEach(() => each.run());
  after(() => whole.run());

  const phone = async (user) => {
    const phone = await Phone.start({ user, server: gateway.port });
    each.add(() => phone.close());
    assert.equal(await phone.register(), 200);
    return phone;
  };
  const settings = async (user) => {
    const boss = await Api.signIn(gateway, "boss");
    const { do_not_disturb, forward, from_file } = await boss.ask("GET", `/users/usr_${user}/call-handling`);
    return { do_not_disturb, ...forward, from_file };
  };
  /** Dials a code, hears what it comes to, and is hung up on. */
  const dials = async (phone, code, tone) => {
    const call = await phone.call(code);
    await call.reaches("up");
    await call.hears(tone, { seconds: 0.5 });
    await call.reaches("over");
    assert.equal(call.by, "them");
  };
  const refused = async (phone, number, code) => {
    const call = await phone.call(number);
    await call.reaches("over");
    assert.equal(call.code, code, number);
  };

  test("calls are forwarded, and are not any more", () =>
    listening(async () => {
      const [desk, other, caller] = [await phone("1003"), await phone("1004"), await phone("1005")];
      assert.equal((await settings("1003")).from_file, true);
      await dials(desk, "*721004", ON);
      const { always, from_file } = await settings("1003");
      assert.deepEqual([always, from_file], ["1004", false]);
      const call = await caller.call("1003");
      const there = await other.incoming();
      await there.reaches("up");
      assert.equal(desk.calls.filter(({ direction }) => direction === "in").length, 0);
      await call.hangUp();
      await there.reaches("over");
      await dials(desk, "*73", OFF);
      assert.equal((await settings("1003")).always, null);
      const again = await caller.call("1003");
      await (await desk.incoming()).reaches("up");
      await again.hangUp();
    }));

  test("each setting is changed by itself, and outlives the gateway", () =>
    listening(async () => {
      const desk = await phone("1004");
      await dials(desk, "*901005", ON);
      await dials(desk, "*921006", ON);
      await dials(desk, "*78", ON);
      await gateway.killed();
      const expected = {
        do_not_disturb: true,
        always: null,
        busy: "1005",
        no_answer: "1006",
        no_answer_after: 20,
        unreachable: null,
      };
      assert.deepEqual(await settings("1004"), { ...expected, from_file: false });
      const desk2 = await phone("1004");
      for (const code of ["*91", "*93", "*79"]) await dials(desk2, code, OFF);
      const after = { ...expected, do_not_disturb: false, busy: null, no_answer: null };
      assert.deepEqual(await settings("1004"), { ...after, from_file: false });
    }));

  test("a code without its number, and one that there is not, are refused", async () => {
    const desk = await phone("1005");
    await refused(desk, "*72", 484);
    await refused(desk, "**", 484);
    await refused(desk, "*99", 404);
    await refused(desk, "*80", 404);
    await refused(desk, "**1003", 404);
    assert.equal((await settings("1005")).from_file, true);
  });

  test("a member of a group takes the call that rings there, and nobody else does", () =>
    listening(async () => {
      const [desk, other, caller, stranger] = [
        await phone("1003"),
        await phone("1004"),
        await phone("1005"),
        await phone("1006"),
      ];
      desk.behaviour = other.behaviour = "ring";
      const call = await caller.call("7100");
      const rings = [await desk.incoming(), await other.incoming()];
      await Promise.all(rings.map((one) => one.reaches("ringing")));
      await refused(stranger, "*80", 404);
      const taken = await other.call("*80");
      await Promise.all([call.reaches("up"), taken.reaches("up"), ...rings.map((one) => one.reaches("over"))]);
      await assertTones([
        [call, PHONE_TONE],
        [taken, PHONE_TONE],
      ]);
      await taken.hangUp();
      await call.reaches("over");
    }));

  test("a call that rings at a colleague is taken", () =>
    listening(async () => {
      const [desk, other, caller] = [await phone("1003"), await phone("1004"), await phone("1005")];
      desk.behaviour = "ring";
      const call = await caller.call("1003");
      const ring = await desk.incoming();
      await ring.reaches("ringing");
      const taken = await other.call("**1003");
      await Promise.all([call.reaches("up"), taken.reaches("up"), ring.reaches("over")]);
      await assertTones([
        [call, PHONE_TONE],
        [taken, PHONE_TONE],
      ]);
      await call.hangUp();
      await taken.reaches("over");
      await until("the calls are over", () => !caller.calls.some(({ state }) => state === "up"));
    }));
});
