// A phone that rings and rings.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LIBRARIES, scene } from "../lib/scene.mjs";

const stage = scene({ config: "ring_timeout = 5\n" });

for (const library of LIBRARIES) {
  describe(library, () => {
    test(
      "nobody answers the phone",
      stage.play(async ({ client, phone }) => {
        const far = await phone("1003");
        far.behaviour = "ring";
        const page = await client("chromium", { library });
        const call = await page.call("1003");
        await call.reaches("ringing");
        const there = await far.incoming();
        const end = await call.reaches("over", 10_000);
        assert.ok([408, 480].includes(end.code), JSON.stringify(end));
        assert.ok(end.times.over > 4500, JSON.stringify(end));
        await there.reaches("over");
        assert.deepEqual([there.by, there.code], ["them", 487]);
      }),
    );

    test(
      "nobody answers the browser",
      stage.play(async ({ client, phone }) => {
        const far = await phone("1003");
        const page = await client("chromium", { library, answer: "ring" });
        const there = await far.call("1001");
        const call = await page.incoming();
        await there.reaches("over", 10_000);
        assert.ok([408, 480].includes(there.code), `${there.code}`);
        assert.equal((await call.reaches("over")).by, "remote");
      }),
    );
  });
}
