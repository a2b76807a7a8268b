// One call after the other: nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scene } from "../lib/scene.mjs";
import { until } from "../lib/wait.mjs";

const stage = scene();

test(
  "50 calls to the demo phone leave nothing behind",
  stage.play(async ({ gateway, client }) => {
    const page = await client("chromium", { codec: "opus" });
    const one = async () => {
      const call = await page.call("2000");
      await call.reaches("up");
      await until("audio", async () => (await call.summary()).times.packet !== undefined);
      await call.hangUp();
    };
    for (let n = 0; n < 10; n++) await one();
    const quiet = () =>
      until(
        "sockets are released",
        () => {
          const now = gateway.resources();
          return now.descriptors <= idle.descriptors && now;
        },
        40_000,
        250,
      );
    const idle = gateway.resources();
    for (let n = 0; n < 40; n++) await one();
    const end = await quiet().catch((error) => assert.fail(`${error.message}: ${JSON.stringify([idle, gateway.resources()])}`));
    assert.equal(end.threads, idle.threads);
    assert.ok(end.memory - idle.memory < 4096, `${idle.memory} kB after 10 calls, ${end.memory} kB after 50`);
  }),
);
