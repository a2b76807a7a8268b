import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Feed, type Subscribe } from "../src/centre/feed";
import type { CentreEvent, SnapshotData } from "../src/centre/objects";
import { applyEvent, emptyPicture, type Picture, pictureOf } from "../src/centre/picture";

const say = (value: unknown) => JSON.stringify(value);
const snapshot = (seq: number) =>
  say({
    type: "snapshot",
    seq,
    time: "2026-11-23T09:30:00.000Z",
    data: { me: {}, agents: [], queues: [], calls: [], offers: [] },
  });
const event = (seq: number) =>
  say({ seq, time: "2026-11-23T09:30:01.000Z", type: "config.changed", data: { what: String(seq) } });

describe("the event stream", () => {
  test("begins with a snapshot and takes what follows once", () => {
    const feed = new Feed("tab");
    assert.deepEqual(feed.open(), { op: "subscribe", from: "snapshot", tab: "tab" });
    assert.deepEqual(feed.take(event(3)), {}, "a change of nothing");
    assert.ok(feed.take(snapshot(7)).snapshot);
    assert.deepEqual(feed.take(event(7)), {}, "it is in the snapshot");
    assert.equal(feed.take(event(8)).event?.type, "config.changed");
    assert.deepEqual(feed.take(event(8)), {}, "twice");
    assert.deepEqual(feed.take(say({ seq: 9 })), {}, "hidden, but counted");
    assert.equal(feed.at, 9);
    assert.deepEqual(feed.open(), { op: "subscribe", from: 9, tab: "tab" });
  });

  test("answers pings, and begins anew when asked to", () => {
    const feed = new Feed();
    assert.deepEqual(feed.take(say({ op: "ping", n: 7 })).say, { op: "pong", n: 7 });
    feed.take(snapshot(1));
    assert.deepEqual(feed.take(say({ op: "resync" })).say, { op: "subscribe", from: "snapshot" });
    assert.deepEqual(feed.take(event(2)), {});
    assert.equal(feed.take(say({ op: "superseded" })).superseded, true);
  });

  test("asks once for what is missing, and for everything if that does not help", () => {
    const feed = new Feed();
    feed.take(snapshot(1));
    assert.deepEqual(feed.take(event(5)).say, { op: "subscribe", from: 1 });
    assert.deepEqual(feed.take(event(6)), {});
    assert.deepEqual(feed.take(event(3)).say, { op: "subscribe", from: 1 }, "its first one was lost on the way");
    assert.ok(feed.take(event(2)).event);
    assert.deepEqual(feed.take(event(9)).say, { op: "subscribe", from: 2 });
    let last = {};
    for (let n = 0; n < 300 && !("say" in last); n++) last = feed.take(event(10 + n));
    assert.deepEqual(last, { say: { op: "subscribe", from: "snapshot" } });
  });

  test("is not upset by what is no message", () => {
    const feed = new Feed();
    for (const text of ["", "[]", "null", "3", '"x"', "{", "{}", '{"op":"later"}', '{"seq":"1"}']) {
      assert.deepEqual(feed.take(text), {}, text);
    }
  });
});

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A gateway that keeps its last events only, over a connection that cuts, loses and repeats. */
class Gateway {
  readonly picture: Picture = emptyPicture();
  private readonly kept: { seq: number; text: string }[] = [];
  private seq = 0;
  private at: number | undefined;

  constructor(
    private readonly keeps: number,
    private readonly chance: () => number,
  ) {}

  change(): void {
    const id = `call_${Math.floor(this.chance() * 12)}`;
    const gone = this.chance() < 0.3;
    const change = gone
      ? { type: "call.ended", data: { id, record: { id: `rec_${this.seq}` } } }
      : { type: "call.changed", data: { id, since: this.seq } };
    this.seq += 1;
    const hidden = this.chance() < 0.2;
    if (!hidden) applyEvent(this.picture, change as unknown as CentreEvent);
    this.kept.push({ seq: this.seq, text: say(hidden ? { seq: this.seq } : { seq: this.seq, ...change }) });
    if (this.kept.length > this.keeps) this.kept.shift();
  }

  hear(said: Subscribe): string[] {
    if (said.from === "snapshot") {
      this.at = this.seq;
      const { agents, queues, calls, offers } = this.picture;
      const data = {
        me: {},
        agents: [...agents.values()],
        queues: [...queues.values()],
        calls: [...calls.values()],
        offers: [...offers.values()],
      };
      return [say({ type: "snapshot", seq: this.seq, data })];
    }
    const first = this.kept[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (said.from > this.seq || (said.from < this.seq && said.from + 1 < first)) {
      this.at = undefined;
      return [say({ op: "resync" })];
    }
    this.at = said.from;
    return [];
  }

  /** Texts that have not been sent on this connection. */
  send(): string[] {
    if (this.at === undefined) return [];
    const from = this.at;
    this.at = this.seq;
    return this.kept.filter(({ seq }) => seq > from).map(({ text }) => text);
  }

  cut(): void {
    this.at = undefined;
  }
}

test("whatever is cut, lost and repeated: the picture is the gateway's, and nothing is taken twice", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const chance = random(seed);
    const gateway = new Gateway(5 + Math.floor(chance() * 60), chance);
    const feed = new Feed();
    let picture = emptyPicture();
    let wire: string[] = [];
    let taken = 0;
    const ended = new Set<string>();
    const open = () => {
      wire = gateway.hear(feed.open());
    };
    const read = (text: string) => {
      const step = feed.take(text);
      if (step.say) wire.push(...gateway.hear(step.say as Subscribe));
      if (step.snapshot) picture = pictureOf(step.snapshot as SnapshotData);
      if (!step.event) return;
      taken += 1;
      const { ended: record } = applyEvent(picture, step.event);
      if (record) {
        assert.ok(!ended.has(record.id), `seed ${seed}: ${record.id} ended twice`);
        ended.add(record.id);
      }
    };
    open();
    for (let step = 0; step < 300; step++) {
      const what = chance();
      if (what < 0.45) gateway.change();
      else if (what < 0.6) wire.push(...gateway.send());
      else if (what < 0.9) {
        const text = wire.shift();
        if (text === undefined) continue;
        // No TCP does this to changes; a fault of the gateway might.
        const change = text.startsWith('{"seq"');
        if (change && chance() < 0.05) continue;
        if (chance() < 0.05) wire.unshift(text);
        read(text);
      } else if (what < 0.95) {
        gateway.cut();
        open();
      }
    }
    // Nothing is lost any more: the changes that follow show what is missing.
    for (let round = 0; round < 300; round++) {
      gateway.change();
      wire.push(...gateway.send());
      for (let text = wire.shift(); text !== undefined; text = wire.shift()) {
        read(text);
        if (wire.length === 0) wire.push(...gateway.send());
      }
    }
    assert.deepEqual([...picture.calls].sort(), [...gateway.picture.calls].sort(), `seed ${seed}`);
    assert.ok(taken > 0, `seed ${seed}`);
  }
});
