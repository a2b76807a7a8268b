// The gateway is killed again and again while calls are recorded: each call has its file, up to the last second.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Api } from "../../lib/api.mjs";
import { Gateway } from "../../lib/cordboard.mjs";
import { toneSeconds } from "../../lib/heard.mjs";
import { Phone } from "../../lib/phone.mjs";
import { folder } from "../../lib/process.mjs";
import { stereo } from "../../lib/recording.mjs";
import { Cleanup, until } from "../../lib/wait.mjs";

const KILLS = Number(process.env.CORDBOARD_KILLS ?? 20);
const CALLS = 8;
const CALLER = 700;
const CALLED = 1700;

test(`${KILLS} kills with ${CALLS} calls each, half of which were over`, async (t) => {
  const cleanup = new Cleanup();
  try {
    const names = Array.from({ length: 2 * CALLS }, (_, n) => `u${n}`);
    const users = names.map((name) => `[[users]]\nname = "${name}"\npassword = "cordboard"\n`);
    const config = `${users.join("")}[[users]]\nname = "sue"\npassword = "cordboard"\nroles = ["supervisor"]
[recording]
directory = "${join(folder(cleanup), "recordings")}"
[[recording.rules]]
record = "all"
`;
    const gateway = await Gateway.start(cleanup, config);
    const missing = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      const round = new Cleanup();
      const start = async (user, tone) => {
        const phone = await Phone.start({ user, server: gateway.port });
        phone.tone = { frequency: tone, amplitude: 0.25 };
        round.add(() => phone.close());
        return phone;
      };
      let sue = await Api.signIn(gateway, "sue");
      const recordings = async (state) =>
        (await sue.ask("GET", "/recordings?limit=200")).items.filter((one) => one.state === state);
      const calls = [];
      for (let n = 0; n < CALLS; n++) {
        const called = await start(names[2 * n], CALLED);
        assert.equal(await called.register(), 200);
        calls.push(await (await start(names[2 * n + 1], CALLER)).call(names[2 * n]));
      }
      await Promise.all(calls.map((call) => call.reaches("up")));
      await until("all are recorded", async () => (await recordings("recording")).length === CALLS, 10_000, 50);
      await new Promise((done) => setTimeout(done, 500 + 1500 * Math.random()));
      await Promise.all(calls.filter((_, n) => n % 2).map((call) => call.hangUp()));
      const live = await until("half of them are saved", async () => {
        const found = await recordings("recording");
        return found.length === CALLS / 2 ? found : undefined;
      });
      const killed = Date.now();
      await gateway.killed();
      await round.run();
      sue = await Api.signIn(gateway, "sue");
      const saved = await until("all are saved", async () => {
        const found = await recordings("saved");
        return found.length === CALLS * kill ? found : undefined;
      });
      for (const { id, began } of live) {
        const one = saved.find((known) => known.id === id);
        assert.equal(one.interrupted, true);
        missing.push((killed - Date.parse(began)) / 1000 - one.duration_s);
      }
      const { id, duration_s } = saved[0];
      const response = await fetch(`${sue.base}/recordings/${id}/audio`, { headers: { authorization: `Bearer ${sue.token}` } });
      const { left, right, rate } = stereo(Buffer.from(await response.arrayBuffer()));
      assert.ok(toneSeconds(left, rate, CALLER) > duration_s - 0.5 && toneSeconds(right, rate, CALLED) > duration_s - 0.5);
    }
    const most = Math.max(...missing);
    t.diagnostic(`${CALLS * KILLS} calls, as many files; of those that were cut off ${most.toFixed(2)} s are missing at most`);
    assert.ok(most < 1, `the last ${most} s are missing`);
  } finally {
    await cleanup.run();
  }
});
