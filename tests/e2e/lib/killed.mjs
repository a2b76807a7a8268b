// The gateway is killed with a full queue, again and again: who waits hears music again and keeps the place, who talks talks again with
// the same agent, and whatever was told or written down before stands.
import assert from "node:assert/strict";
import { Api } from "./api.mjs";
import { launch } from "./browser.mjs";
import { Client } from "./client.mjs";
import { Gateway } from "./cordboard.mjs";
import { Phone } from "./phone.mjs";
import { serveSite } from "./site.mjs";
import { Cleanup, until } from "./wait.mjs";

const SUPPORT = "9001";
const PAGE_TONE = 1000;
/** Milliseconds from the kill in which a caller hears something again: the start of the gateway is in it. */
const SILENCE = 5_000;

/** Kills it so often, with so many callers who wait. Resolves with how long callers and agent heard nothing, milliseconds. */
export async function killed({ times, waiting }) {
  const cleanup = new Cleanup();
  let gateway;
  const silences = [];
  const recalls = [];
  try {
    gateway = await Gateway.start(cleanup);
    const browser = await launch("chromium", { tone: PAGE_TONE });
    cleanup.add(() => browser.close());
    const site = await serveSite();
    cleanup.add(() => site.close());
    const page = await Client.open(browser, site);
    cleanup.add(() => page.close().catch(() => undefined));
    await page.start({ gateway, user: "anna", library: "jssip", codec: "opus" });
    const [anna, sue] = [await Api.signIn(gateway, "anna"), await Api.signIn(gateway, "sue")];
    const phone = await Phone.start({ user: "1003", server: gateway.port });
    cleanup.add(() => phone.close());
    const calls = [];
    const enters = async () => {
      const call = await phone.call(SUPPORT);
      await call.reaches("up");
      calls.push(call);
      return call;
    };
    /** Ids of calls that wait, by place. */
    const line = async () => {
      const items = [];
      for (let cursor = ""; cursor !== undefined; ) {
        const part = await sue.ask("GET", `/calls?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
        items.push(...part.items);
        cursor = part.next_cursor ?? undefined;
      }
      const waits = items.filter(({ state }) => state === "waiting");
      return waits.sort((a, b) => a.position - b.position).map(({ id, position }) => `${position} ${id}`);
    };

    let taken = 0;
    const talks = async () => {
      const call = await page.incoming(taken++, 20_000);
      await call.reaches("up");
      await anna.status("talking");
      return call;
    };
    let agent;
    const first = await enters();
    await anna.available();
    agent = await talks();
    await first.hears(PAGE_TONE, { seconds: 0.5 });
    let caller = first;
    // Agents who are offered a call while the gateway dies would take it afterwards: nobody but Anna is there.
    while (calls.length < waiting + 1) await enters();
    const places = Array.from({ length: waiting }, (_, place) => place + 1).join();
    let before = await until("all wait", async () => {
      const all = await line();
      return all.map((one) => one.split(" ")[0]).join() === places ? all : undefined;
    });
    const over = [];

    for (let n = 0; n < times; n++) {
      const heard = calls.filter(({ state }) => state === "up").map((call) => ({ call, packets: call.rtp.packets.length }));
      const at = Date.now();
      await gateway.killed();

      // Who waits hears music again, at the old place.
      for (const { call, packets } of heard.filter(({ call }) => call !== caller)) {
        await until("music again", () => call.rtp.packets.length > packets + 5 || call.state === "over", 15_000);
        assert.equal(call.state, "up", `${call.by} ${call.code} ${call.reason}`);
        const again = call.rtp.packets.slice(packets).find((packet) => packet.at > at);
        silences.push(again.at - at);
      }
      let seen;
      await until(
        "everybody is at the old place",
        async () => {
          seen = await line();
          return seen.join() === before.join();
        },
        15_000,
      ).catch(() => assert.deepEqual(seen, before));

      // Who talked talks again with the same agent, who did not sign in anew.
      agent = await talks();
      await caller.hears(PAGE_TONE, { seconds: 0.5 });
      recalls.push(Date.now() - at);

      // The agent is done: the oldest is next.
      const oldest = before[0].split(" ")[1];
      const { call: id } = await anna.agent();
      await anna.ask("PUT", `/calls/${id}/notes`, { notes: `after ${n + 1}` });
      over.push({ id, notes: `after ${n + 1}` });
      await caller.hangUp();
      await agent.reaches("over");
      await anna.available();
      agent = await talks();
      assert.equal((await anna.agent()).call, oldest);
      caller = calls[calls.indexOf(caller) + 1];
      await caller.hears(PAGE_TONE, { seconds: 0.5 });
      await enters();
      const moved = before.slice(1).map((one, place) => `${place + 1} ${one.split(" ")[1]}`);
      before = await until("everybody moved up by one", async () => {
        seen = await line();
        return seen.length === waiting && seen.slice(0, -1).join() === moved.join() ? seen : undefined;
      }).catch(() => assert.deepEqual(seen, moved));

      // What was over before a kill is written down, once.
      const { items } = await sue.ask("GET", "/records?limit=100");
      for (const { id, notes } of over) {
        const found = items.filter(({ call }) => call === id);
        assert.deepEqual(
          found.map((record) => [record.outcome, record.notes]),
          [["completed", notes]],
        );
      }
      assert.equal(items.length, over.length, JSON.stringify(items.map(({ outcome }) => outcome)));
    }
    assert.ok(Math.max(...silences) < SILENCE, `callers heard nothing for ${Math.max(...silences)} ms`);
    return { silences, recalls };
  } catch (error) {
    error.message += `\n${gateway?.program.output().slice(-6000)}`;
    throw error;
  } finally {
    await cleanup.run();
  }
}

/** Median and most. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return `median ${sorted[Math.floor(sorted.length / 2)]} ms, most ${sorted.at(-1)} ms`;
}
