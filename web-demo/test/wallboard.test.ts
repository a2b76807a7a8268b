import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Agent, Queue, QueueNumbers, Status } from "../src/centre/objects";
import { counts, listed, type Wanted } from "../src/wallboard/agent_list";
import { alarmsOf, isGrave } from "../src/wallboard/alarms";
import { axis, bars, hourMarks, levelLines, slotsOf } from "../src/wallboard/chart";

const day = {
  entered: 0,
  answered: 0,
  abandoned: 0,
  overflowed: 0,
  hung_up: 0,
  sent_on: 0,
  lost: 0,
  completed: 0,
  service_level: null,
  asa_s: 0,
  aht_s: 0,
  longest_wait_s: 0,
};

describe("alarms", () => {
  const now = Date.parse("2026-11-23T09:30:00.000Z");
  const queue = (waiting: number, since: string | null, level: number | null, alarms: Queue["alarms"]): Queue => ({
    id: "que_1",
    name: "Support",
    strategy: "longest-idle",
    service_level_target_s: 20,
    live: { line: [], waiting, oldest_since: since, agents_signed_in: 0, agents_available: 0, agents_busy: 0 },
    today: { ...day, service_level: level },
    alarms,
  });
  const kinds = (queue: Queue) => alarmsOf(queue, now).map(({ kind }) => kind);

  test("beyond the limit, not at it", () => {
    const limits = { waiting: 3, oldest_s: 60, service_level: 0.8 };
    assert.deepEqual(kinds(queue(3, "2026-11-23T09:29:00.000Z", 0.8, limits)), []);
    assert.deepEqual(kinds(queue(4, "2026-11-23T09:28:59.000Z", 0.79, limits)), ["waiting", "oldest", "level"]);
  });

  test("callers whom nobody could take are an alarm without a limit too", () => {
    const none = { waiting: null, oldest_s: null, service_level: null };
    const since = (seconds: number) => new Date(now - 1000 * seconds).toISOString();
    assert.deepEqual(kinds(queue(3, since(5), 0, none)), ["unattended"]);
    assert.deepEqual(kinds(queue(1, since(5), 0, none)), []);
    assert.deepEqual(kinds(queue(1, since(21), 0, none)), ["unattended"]);
    assert.equal(isGrave(alarmsOf(queue(3, since(5), 0, none), now)), false);
    const free = queue(3, since(99), 0, none);
    assert.deepEqual(kinds({ ...free, live: { ...free.live, agents_available: 1 } }), []);
    // A limit of the queue's own is the one that counts.
    assert.deepEqual(kinds(queue(3, since(5), 0, { ...none, waiting: 3 })), []);
    assert.deepEqual(kinds(queue(4, since(5), 0, { ...none, waiting: 3 })), ["waiting"]);
    assert.equal(isGrave(alarmsOf(queue(4, since(5), 0, { ...none, waiting: 3 }), now)), true);
  });

  test("none where no limit is set, or nothing counts", () => {
    assert.deepEqual(kinds(queue(0, null, 0, { waiting: null, oldest_s: null, service_level: null })), []);
    assert.deepEqual(kinds(queue(0, null, null, { waiting: 0, oldest_s: 0, service_level: 1 })), []);
  });
});

describe("agents", () => {
  const agent = (name: string, status: Status, minute: number, queues = ["que_1"]): Agent => ({
    id: `usr_${name}`,
    name,
    display: name.toUpperCase(),
    status,
    since: `2026-11-23T09:${String(minute).padStart(2, "0")}:00.000Z`,
    reason: null,
    next: null,
    reach: "attached",
    call: null,
    wrap_up_until: null,
    queues,
    today: { calls: 0, talk_s: 0, wrap_up_s: 0, paused_s: 0, signed_in_s: 0, occupancy: 0 },
  });
  const all = [
    agent("anna", "available", 10),
    agent("ben", "talking", 20),
    agent("cleo", "offline", 1),
    agent("dora", "unreachable", 30, ["que_2"]),
    agent("emil", "talking", 5),
    agent("fay", "wrap-up", 6),
    agent("gus", "paused", 7),
  ];
  const names = (wanted: Partial<Wanted>) =>
    listed(all, { filter: "signed-in", queue: "", text: "", sort: "state", ...wanted }).map(({ name }) => name);

  test("what needs an eye stands first, the longest first", () => {
    assert.deepEqual(names({}), ["dora", "emil", "ben", "fay", "anna", "gus"]);
    assert.deepEqual(names({ sort: "name" }), ["anna", "ben", "dora", "emil", "fay", "gus"]);
    assert.deepEqual(names({ sort: "time" }), ["emil", "fay", "gus", "anna", "ben", "dora"]);
  });

  test("by kind, queue and name", () => {
    assert.deepEqual(names({ filter: "busy" }), ["emil", "ben", "fay"]);
    assert.deepEqual(names({ filter: "offline" }), ["cleo"]);
    assert.deepEqual(names({ queue: "que_2" }), ["dora"]);
    assert.deepEqual(names({ text: " EM" }), ["emil"]);
  });

  test("are counted", () => {
    assert.deepEqual(counts(all), { "signed-in": 6, available: 1, busy: 3, paused: 1, unreachable: 1, offline: 1 });
  });
});

describe("the day", () => {
  const at = (hour: number, minute: number) => new Date(2026, 10, 23, hour, minute);
  const quarter = (queue: string, hour: number, minute: number, figures: Partial<QueueNumbers> = {}): QueueNumbers => ({
    ...day,
    queue,
    from: at(hour, minute).toISOString(),
    to: at(hour, minute + 15).toISOString(),
    ...figures,
  });
  const quiet = Array.from({ length: 40 }, (_, n) => quarter("que_1", Math.floor(n / 4), (n % 4) * 15));

  test("begins with the first call, with some room before it", () => {
    assert.deepEqual(slotsOf(quiet, "", at(9, 50).getTime()), []);
    const early = slotsOf(
      [...quiet.slice(0, 8), quarter("que_1", 2, 0, { entered: 1 }), ...quiet.slice(9)],
      "que_1",
      at(9, 50).getTime(),
    );
    assert.equal(early[0]?.from, at(2, 0).getTime());
    const late = slotsOf([...quiet.slice(0, 39), quarter("que_1", 9, 45, { entered: 1 })], "que_1", at(9, 50).getTime());
    assert.equal(late.length, 16);
  });

  test("queues together have their calls added up, and no service level", () => {
    const numbers = [
      quarter("que_1", 9, 0, { entered: 3, answered: 2, abandoned: 1, service_level: 0.5 }),
      quarter("que_2", 9, 0, { entered: 1, answered: 1, service_level: 1 }),
    ];
    const [both] = slotsOf(numbers, "", at(9, 10).getTime());
    assert.ok(both);
    assert.deepEqual([both.entered, both.answered, both.abandoned, both.level], [4, 3, 1, null]);
    assert.equal(slotsOf(numbers, "que_1", at(9, 10).getTime())[0]?.level, 0.5);
    assert.deepEqual(slotsOf(numbers, "", at(8, 0).getTime()), [], "what is still to come");
  });

  test("axes end at or above the most, in round steps", () => {
    assert.deepEqual(axis(0), [0, 1]);
    assert.deepEqual(axis(3), [0, 1, 2, 3]);
    assert.deepEqual(axis(17), [0, 5, 10, 15, 20]);
    assert.deepEqual(axis(100), [0, 50, 100]);
    for (let most = 1; most < 3000; most += 7) {
      const ticks = axis(most);
      assert.ok(Math.max(...ticks) >= most && ticks.length <= 6, `${most}: ${ticks}`);
    }
  });

  test("bars stand on the ground and on each other", () => {
    const slots = slotsOf(
      [quarter("que_1", 9, 0, { entered: 4, answered: 2, abandoned: 1 }), quarter("que_1", 9, 15)],
      "",
      at(9, 20).getTime(),
    );
    const box = { left: 10, top: 0, width: 100, height: 40 };
    const [bar, none] = bars(slots, box, 4);
    assert.ok(bar && none);
    assert.deepEqual(bar.parts, [
      { name: "answered", y: 20, height: 20 },
      { name: "abandoned", y: 10, height: 10 },
    ]);
    assert.equal(bar.entered, 0);
    assert.deepEqual(none.parts, []);
    assert.ok(bar.x >= 10 && bar.x + bar.width <= 60 && none.x >= 60);
  });

  test("a quarter in which nothing counts interrupts the line", () => {
    const levels = [0.5, 1, null, 0];
    const slots = slotsOf(
      levels.map((service_level, n) => quarter("que_1", 9, 15 * n, { entered: 1, service_level })),
      "que_1",
      at(9, 50).getTime(),
    );
    assert.deepEqual(levelLines(slots, { left: 0, top: 0, width: 40, height: 10 }), [
      [
        [5, 5],
        [15, 0],
      ],
      [[35, 10]],
    ]);
  });

  test("hours are marked as there is room", () => {
    const slots = slotsOf([quarter("que_1", 0, 0, { entered: 1 }), ...quiet.slice(1)], "", at(9, 50).getTime());
    assert.deepEqual(
      hourMarks(slots, 1000).map(({ at }) => new Date(at).getHours()),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.deepEqual(
      hourMarks(slots, 200).map(({ at }) => new Date(at).getHours()),
      [0, 3, 6, 9],
    );
  });
});
