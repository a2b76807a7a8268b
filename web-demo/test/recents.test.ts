import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, parseRecents, type Recent, when, withRecent } from "../src/recents";

const entry = (at: number): Recent => ({ peer: "9196", name: "", direction: "out", at, seconds: 3, outcome: "" });

test("newest first, and not without end", () => {
  let list: Recent[] = [];
  for (let at = 0; at < 30; at++) list = withRecent(list, entry(at));
  assert.equal(list.length, 20);
  assert.equal(list[0]?.at, 29);
});

test("what was stored is read back, whatever else is in there", () => {
  assert.deepEqual(parseRecents(JSON.stringify([entry(1), { peer: 3 }, null, entry(2)])), [entry(1), entry(2)]);
  for (const text of [null, "", "{", "{}", "null", "7"]) assert.deepEqual(parseRecents(text), []);
});

test("durations", () => {
  assert.equal(clock(0), "0:00");
  assert.equal(clock(65.9), "1:05");
  assert.equal(clock(3700), "1:01:40");
  assert.equal(clock(-1), "0:00");
});

test("moments", () => {
  const now = new Date(2026, 4, 5, 15, 0).getTime();
  assert.equal(when(now - 5_000, now), "just now");
  assert.equal(when(now - 300_000, now), "5 min ago");
  assert.equal(when(new Date(2026, 4, 5, 9, 5).getTime(), now, "en-GB"), "09:05");
  assert.equal(when(new Date(2026, 4, 2).getTime(), now, "en-GB"), "2 May");
});
