// A call is recorded as it goes on: each side on its channel, paused by the API, heard by those who may, and not lost by a kill.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe } from "node:test";
import { Api } from "../lib/api.mjs";
import { CordboardPhone, Gateway } from "../lib/cordboard.mjs";
import { sounds, toneSeconds } from "../lib/heard.mjs";
import { listeningTest } from "../lib/lateness.mjs";
import { folder } from "../lib/process.mjs";
import { stereo } from "../lib/recording.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const CALLER = 700;
const CALLED = 1700;
const user = (name, more = "") => `[[users]]\nname = "${name}"\npassword = "cordboard"\n${more}`;
const USERS = [user("1003"), user("1004"), user("sue", 'roles = ["supervisor"]'), user("ada", 'roles = ["admin"]')];

for (const encrypted of [false, true]) {
  describe(encrypted ? "an encrypted recording" : "a recording", () => {
    const whole = new Cleanup();
    const each = new Cleanup();
    const test = listeningTest(() => each.run());
    let gateway;
    let sue;

    before(async () => {
      const path = folder(whole);
      const key = join(path, "key");
      writeFileSync(key, randomBytes(32).toString("hex"));
      const config = `${USERS.join("\n")}
[recording]
directory = "${join(path, "recordings")}"
${encrypted ? `key_file = "${key}"` : ""}
[[recording.rules]]
user = "1003"
record = "all"
`;
      gateway = await Gateway.start(whole, config);
    });
    afterEach(() => each.run());
    after(() => whole.run());

    const phone = (user, target, tone, args) =>
      CordboardPhone.start(each, gateway, target, { user, password: "cordboard", tone, args });
    const recording = (state, call) =>
      until(
        `the recording is ${state}`,
        async () => {
          const { items } = await sue.ask("GET", `/recordings${call ? `?call=${call}` : ""}`);
          return items.find((one) => one.state === state);
        },
        15_000,
        50,
      );
    const audio = async (api, id, range) => {
      const headers = { authorization: `Bearer ${api.token}`, ...(range ? { range } : {}) };
      const response = await fetch(`${api.base}/recordings/${id}/audio`, { headers });
      return { response, wav: Buffer.from(await response.arrayBuffer()) };
    };
    const talk = async () => {
      sue = await Api.signIn(gateway, "sue");
      const called = await phone("1003", undefined, CALLED).waits();
      const calling = phone("1004", "1003", CALLER);
      await Promise.all([called.hears(CALLER, 2), calling.hears(CALLED, 2)]);
      return { called, calling };
    };

    test("has each side on its channel, is silent while it is paused, and is heard from anywhere", async () => {
      const { calling } = await talk();
      const { call, id } = await recording("recording");
      await sue.ask("POST", `/calls/${call}/recording/pause`);
      await recording("paused", call);
      await new Promise((done) => setTimeout(done, 1500));
      await sue.ask("POST", `/calls/${call}/recording/resume`);
      await calling.hears(CALLED, 5);
      await calling.hangUp();
      const saved = await recording("saved", call);
      assert.equal(saved.id, id);
      const { response, wav } = await audio(sue, id);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "audio/wav");
      assert.equal(wav.length, saved.size);
      assert.equal(createHash("sha256").update(wav).digest("hex"), saved.sha256);
      const { left, right, rate } = stereo(wav);
      assert.ok(Math.abs(left.length / rate - saved.duration_s) < 0.001);
      for (const [side, here, there] of [
        [left, CALLER, CALLED],
        [right, CALLED, CALLER],
      ]) {
        assert.ok(toneSeconds(side, rate, here) > saved.duration_s - 2.4, `${toneSeconds(side, rate, here)} s of ${here} Hz`);
        assert.equal(toneSeconds(side, rate, there), 0);
        const [before, later] = sounds(side, rate, 0.3);
        assert.ok(later.from - before.to > 1.4 && later.from - before.to < 2.5, JSON.stringify([before, later]));
        const [pause] = saved.pauses;
        assert.ok(Math.abs(pause.from_s - before.to) < 0.05 && Math.abs(pause.to_s - later.from) < 0.05, JSON.stringify(saved));
      }
      const part = await audio(sue, id, "bytes=30000-50001");
      assert.equal(part.response.status, 206);
      assert.equal(part.response.headers.get("content-range"), `bytes 30000-50001/${wav.length}`);
      assert.ok(part.wav.equals(wav.subarray(30_000, 50_002)));
      // A supervisor deletes nothing, an admin does.
      await assert.rejects(sue.ask("DELETE", `/recordings/${id}`), /403/);
      const ada = await Api.signIn(gateway, "ada");
      await ada.ask("DELETE", `/recordings/${id}`);
      assert.equal((await audio(sue, id)).response.status, 404);
    });

    test("is there after a kill, up to the last second", async () => {
      await talk();
      const { id, began, call } = await recording("recording");
      const killed = Date.now();
      await gateway.killed();
      sue = await Api.signIn(gateway, "sue");
      const saved = await recording("saved", call);
      assert.equal(saved.id, id);
      assert.equal(saved.interrupted, true);
      const missing = (killed - Date.parse(began)) / 1000 - saved.duration_s;
      assert.ok(missing < 1, `the last ${missing} s are missing`);
      const { left, right, rate } = stereo((await audio(sue, id)).wav);
      assert.ok(toneSeconds(left, rate, CALLER) > saved.duration_s - 0.5);
      assert.ok(toneSeconds(right, rate, CALLED) > saved.duration_s - 0.5);
    });
  });
}
