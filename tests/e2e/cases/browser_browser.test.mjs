// Browser to browser, each with a tone of its own: the same browser twice, and one of each kind.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertTones, LIBRARIES, scene } from "../lib/scene.mjs";

const stage = scene({
  browsers: {
    one: ["chromium", { tone: 1000 }],
    two: ["chromium", { tone: 600 }],
    firefox: ["firefox", { tone: 800 }],
  },
});

const PAIRS = [
  ["one", "two"],
  ["one", "firefox"],
  ["firefox", "two"],
];

for (const [from, to] of PAIRS) {
  for (const library of LIBRARIES) {
    describe(`${from} calls ${to}, ${library}`, () => {
      for (const codec of ["opus", "PCMU"]) {
        test(
          `both hear each other, ${codec} at the caller`,
          stage.play(async ({ client }) => {
            const other = LIBRARIES.find((name) => name !== library);
            const caller = await client(from, { user: "1001", library, codec });
            const called = await client(to, { user: "1002", library: other });
            const call = await caller.call("1002");
            const there = await called.incoming();
            await Promise.all([call.reaches("up"), there.reaches("up")]);
            const tone = (name) => stage.browsers[name].tone;
            await assertTones([
              [call, tone(to)],
              [there, tone(from)],
            ]);
            await there.hangUp();
            assert.equal((await call.reaches("over")).by, "remote");
          }),
        );
      }
    });
  }
}
