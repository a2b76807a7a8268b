// How users are reached: a browser that forwards to a carrier (sipp), do not disturb, the phones of a ring group, and parked calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../lib/api.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { freePort } from "../lib/process.mjs";
import { assertTone, assertTones, PHONE_TONE, scene } from "../lib/scene.mjs";
import { called, Sipp, sdp, step } from "../lib/sipp.mjs";

const TRUNK_TONE = 700;
const carrier = { ip: "127.0.0.2", port: await freePort("127.0.0.2") };
const user = (name, more = "") => `[[users]]\nname = "${name}"\npassword = "cordboard"\n${more}`;
const stage = scene({
  config: `
${user("1001", 'forward = { no_answer = "0301234", no_answer_after = 5 }')}
${user("1002")}
${user("1003")}
${user("sue", 'roles = ["admin"]')}
[[groups]]
name = "sales"
number = "7100"
members = ["1001", "1002"]
[park]
number = "700"
slots = "701-702"
[[trunks]]
name = "carrier"
address = "${carrier.ip}:${carrier.port}"
codecs = "pcmu"
diversion = "diversion"
[[dial]]
match = "0(.)"
rewrite = "$1"
trunk = "carrier"
`,
});

/** Changes how calls to 1001 are handled. */
async function handle(gateway, body) {
  const sue = await Api.signIn(gateway, "sue");
  const response = await fetch(`${sue.base}/users/usr_1001/call-handling`, {
    method: body ? "PUT" : "DELETE",
    headers: { authorization: `Bearer ${sue.token}`, "content-type": "application/json", "if-match": "*" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, await response.text());
  return sue;
}

test(
  "a browser that does not answer forwards to the carrier, who is told why, and whose voice the caller hears",
  stage.play(async ({ gateway, client, phone, cleanup }) => {
    const end = await RtpEnd.open(cleanup, carrier.ip);
    const sipp = await Sipp.called(cleanup, {
      ...carrier,
      steps: [
        called.invite({ matches: [{ header: "Diversion", regexp: "sip:1001@.*reason=no-answer" }] }),
        called.ring(180),
        called.answer(sdp(end)),
        step.expect("BYE"),
      ],
    });
    const page = await client("chromium", { answer: "ring" });
    const far = await phone("1003");
    const there = await far.call("1001");
    const ringing = await page.incoming();
    await there.reaches("ringing");
    assert.equal((await ringing.reaches("over", 10_000)).by, "remote");
    await there.reaches("up");
    end.play(TRUNK_TONE);
    assertTone(await there.hears(TRUNK_TONE), TRUNK_TONE);
    await end.hears(PHONE_TONE, 1);
    await there.hangUp();
    await sipp.succeeds();
    const sue = await Api.signIn(gateway, "sue");
    const [record] = (await sue.ask("GET", "/records?limit=1")).items;
    assert.deepEqual(record.forwarded, [{ by: "1001", reason: "no-answer", to: "0301234" }]);
    assert.deepEqual(
      record.legs.map(({ number, trunk }) => [number, trunk]),
      [
        ["1003", null],
        ["1001", null],
        ["301234", "carrier"],
      ],
    );
  }),
);

test(
  "who does not want to be disturbed is not rung, as the API says, until the file counts again",
  stage.play(async ({ gateway, client, phone }) => {
    const page = await client("chromium", { answer: "ring" });
    const far = await phone("1003");
    await handle(gateway, { do_not_disturb: true });
    const refused = await far.call("1001");
    await refused.reaches("over");
    assert.equal(refused.code, 480);
    await handle(gateway, undefined);
    const there = await far.call("1001");
    await page.incoming();
    await there.reaches("ringing");
    await there.hangUp();
    await there.reaches("over");
  }),
);

test(
  "the phones of a group ring together, and the first answer ends that",
  stage.play(async ({ client, phone }) => {
    const page = await client("chromium", { answer: "ring" });
    const member = await phone("1002");
    member.behaviour = "ring";
    const far = await phone("1003");
    const there = await far.call("7100");
    const [ringing, other] = [await page.incoming(), await member.incoming()];
    other.answer();
    await there.reaches("up");
    assert.equal((await ringing.reaches("over")).by, "remote");
    await there.hangUp();
    await other.reaches("over");
  }),
);

test(
  "a browser parks a call, supervisors see the slot, and another phone takes the call there",
  stage.play(async ({ gateway, client, phone }) => {
    const sue = await Api.signIn(gateway, "sue");
    const [far, colleague] = [await phone("1003"), await phone("1002")];
    const page = await client("chromium", { user: "1001" });
    const call = await page.call("1003");
    await call.reaches("up");
    const there = await (await far.incoming()).reaches("up");
    await call.do("refer", "sip:700@127.0.0.1");
    assert.equal((await call.reaches("over", 10_000)).by, "remote");
    const parked = (await sue.ask("GET", "/calls")).items.map((one) => one.parked);
    assert.deepEqual(
      parked.map(({ slot, by }) => [slot, by]),
      [["701", "1001"]],
    );
    const taken = await colleague.call("701");
    await taken.reaches("up");
    taken.rtp.play(TRUNK_TONE);
    await assertTones([
      [there, TRUNK_TONE],
      [taken, PHONE_TONE],
    ]);
    assert.deepEqual(
      (await sue.ask("GET", "/calls")).items.map((one) => one.parked ?? null),
      [null],
    );
    await taken.hangUp();
    await there.reaches("over");
  }),
);
