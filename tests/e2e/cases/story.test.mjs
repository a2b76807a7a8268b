// One whole story: a caller over a trunk, three agents at their desktops, a supervisor at the wallboard; and then everything that was
// written down of it says the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { launch } from "../lib/browser.mjs";
import { CentrePage } from "../lib/centre_page.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { levels, listenIn } from "../lib/ears.mjs";
import { firstHeard } from "../lib/heard.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { freePort } from "../lib/process.mjs";
import { caller, Sipp, sdp, step } from "../lib/sipp.mjs";
import { dbOfPeak, measureTone } from "../lib/tone.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const carrier = { ip: "127.0.0.2", port: await freePort("127.0.0.2") };
const NUMBER = "493012345";
const CALLER = 440;
/** What each one's microphone says. */
const VOICES = { anna: 1000, ben: 1000, cara: 1300, sue: 700 };
const LEVEL = dbOfPeak(0.25);
const loud = (db) => db > LEVEL - 6;
const still = (db) => db < LEVEL - 25;

const person = (name, what) =>
  `[[users]]\nname = "${name}"\npassword = "cordboard"\ndisplay = "${name[0].toUpperCase()}${name.slice(1)}"\n${what}\n`;
const CONFIG = `
${["anna", "ben", "cara"].map((name) => person(name, 'roles = ["agent"]')).join("")}${person("sue", 'roles = ["supervisor"]')}
[[queues]]
name = "support"
display = "Support"
ring = 5
[[trunks]]
name = "carrier"
address = "${carrier.ip}:${carrier.port}"
codecs = "pcmu"
[[dial]]
from = "carrier"
match = "${NUMBER}"
queue = "support"
`;

const browsers = {};
before(async () => {
  for (const tone of new Set(Object.values(VOICES))) browsers[tone] = await launch("chromium", { tone });
});
after(async () => {
  for (const browser of Object.values(browsers)) await browser.close();
});

test("no answer, the next agent, a transfer after a question, a whisper, a reload, wrap-up, the report", async () => {
  const cleanup = new Cleanup();
  let gateway;
  try {
    gateway = await Gateway.start(cleanup, CONFIG);
    const open = async (name, path) => {
      const page = await CentrePage.open(browsers[VOICES[name]], gateway, path);
      await listenIn(page.page);
      cleanup.add(async () => {
        assert.deepEqual(page.page.problems, []);
        await page.close();
      });
      return page;
    };
    const sue = await open("sue", "wallboard");
    await sue.signIn("sue");
    await sue.shows("#connection", /^Connected$/);
    const tile = (figure) => `[data-queue="que_support"] [data-figure="${figure}"]`;
    const card = (name) => `[data-agent="${name}"]`;
    const [anna, ben, cara] = [await open("anna", "agent"), await open("ben", "agent"), await open("cara", "agent")];
    // Whoever waits longest comes first.
    for (const [page, name] of [
      [anna, "anna"],
      [ben, "ben"],
      [cara, "cara"],
    ])
      await page.goOnline(name);

    // A call comes over the trunk.
    const end = await RtpEnd.open(cleanup, carrier.ip);
    const sipp = Sipp.call(cleanup, gateway, {
      ...carrier,
      number: NUMBER,
      steps: [caller.call(sdp(end)), caller.expectAnswer(), step.expect("BYE")],
      args: ["-recv_timeout", "150000", "-timeout", "150s"],
    });
    const hears = async (what, wanted) => {
      let seen;
      await until(
        `the caller hears ${what}`,
        async () => {
          const from = end.packets.length;
          await until("half a second", () => end.packets.length >= from + 25);
          const { samples } = end.samples(from);
          seen = Object.fromEntries(
            [...new Set(Object.values(VOICES))].map((tone) => [tone, measureTone(samples, 8_000, tone).db]),
          );
          return Object.values(seen).every((db) => Number.isFinite(db) || db === -Infinity) && wanted(seen);
        },
        15_000,
      ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(seen)}`));
    };
    await sipp.media();
    end.play(CALLER, { remote: await sipp.media() });

    // Anna does not answer: Ben is asked.
    await anna.waitFor("#offer");
    assert.match(await anna.text("#offer"), /\+4917012345/);
    await sue.shows(tile("waiting"), /^1$/);
    await sue.shows(card("anna"), /Ringing/);
    await ben.waitFor("#offer");
    await anna.gone("#offer");
    await anna.shows("#state-now", /^Paused/);
    await ben.answer();
    await hears("Ben", (db) => loud(db[VOICES.ben]));
    await sue.shows(card("ben"), /Talking/);
    const api = await Api.signIn(gateway, "sue");
    const { id } = await api.call("talking");

    // Ben asks Cara, and connects them.
    await ben.press("#transfer");
    await ben.press('[data-consult="usr_cara"]');
    await ben.shows("#consult", /Asking Cara.*Ringing/s);
    await cara.page.bringToFront();
    await cara.press("#answer");
    await ben.shows("#consult", /Talking/);
    await ben.press("#complete");
    await ben.waitFor("#done");
    await ben.type("#notes", "Asked Cara about the invoice.");
    await ben.shows("#draft-state", /^Saved$|^Kept/);
    await cara.shows("#call-state", /^Talking$/);
    await hears("Cara", (db) => loud(db[VOICES.cara]) && still(db[VOICES.ben]));
    await until("Cara hears the caller", async () => loud((await levels(cara.page, [CALLER]))[0]));
    await sue.shows(card("cara"), /Talking/);

    // Sue whispers: Cara hears it, the caller does not.
    await sue.press(`${card("cara")} [data-mode="listen"]`);
    await sue.shows('#watching [role="status"]', /Nobody hears you/);
    await until("Sue hears both", async () => (await levels(sue.page, [CALLER, VOICES.cara])).every(loud));
    assert.ok(still((await levels(cara.page, [VOICES.sue]))[0]), "who listens is not heard");
    await sue.press('#watching input[value="whisper"]');
    await sue.shows('#watching [role="status"]', /Only the agent/);
    await until("Cara hears the whisper", async () => loud((await levels(cara.page, [VOICES.sue]))[0]));
    await hears("nothing of it", (db) => loud(db[VOICES.cara]) && still(db[VOICES.sue]));
    await sue.press("#stop-watching");
    await sue.gone("#watching");

    // Cara's page is reloaded in the call.
    const reloaded = Date.now();
    await cara.page.reload();
    await cara.shows("#call-state", /^Talking$/);
    await hears("Cara again", (db) => loud(db[VOICES.cara]));
    assert.ok(firstHeard(end.packets, "music", reloaded, VOICES.cara), "the caller heard music meanwhile");
    await until("Cara hears the caller again", async () => loud((await levels(cara.page, [CALLER]))[0]));

    // Cara writes it down.
    await cara.press("#hangup");
    await sipp.succeeds();
    await cara.waitFor("#done");
    await sue.shows(card("cara"), /Wrap-up/);
    await cara.type("#notes", "The invoice goes out again.");
    await cara.press('.pick input[value="resolved"]');
    await cara.shows("#draft-state", /^Saved$/);
    await cara.press("#done");
    await cara.shows("#state-now", /^Available/);
    await ben.press("#done");
    await ben.shows("#state-now", /^Available/);
    await sue.shows(card("cara"), /Available/);

    // The report.
    const { items } = await api.ask("GET", "/records");
    assert.equal(items.length, 1);
    const [record] = items;
    assert.deepEqual(
      [record.call, record.outcome, record.from.number, record.to, record.queue, record.disposition],
      [id, "completed", "+4917012345", NUMBER, "que_support", "resolved"],
    );
    assert.deepEqual(
      record.agents.map((agent) => agent.id),
      ["usr_ben", "usr_cara"],
    );
    assert.match(record.notes, /The invoice goes out again\./);
    assert.ok(record.waited_s >= 5 && record.waited_s < 20, `waited ${record.waited_s} s`);
    const took = (Date.parse(record.ended_at) - Date.parse(record.answered_at)) / 1000;
    assert.ok(Math.abs(record.talked_s + record.held_s - took) < 0.1, JSON.stringify(record));

    const day = (numbers) =>
      ["entered", "answered", "abandoned", "overflowed", "completed", "sent_on", "lost"].map((name) => numbers[name]);
    const wanted = [1, 1, 0, 0, 1, 0, 0];
    const queue = await api.ask("GET", "/queues/que_support");
    assert.deepEqual(day(queue.today), wanted);
    assert.ok(Math.abs(queue.today.asa_s - record.waited_s) < 0.01);
    const sums = (await api.ask("GET", "/metrics/queues")).items
      .filter((stretch) => stretch.queue === "que_support")
      .map(day)
      .reduce((sum, part) => sum.map((n, at) => n + part[at]));
    assert.deepEqual(sums, wanted);
    for (const name of ["entered", "answered", "abandoned"]) {
      assert.equal(await sue.text(tile(name)), String(queue.today[name]), name);
    }
    const agents = (await api.ask("GET", "/metrics/agents")).items;
    assert.deepEqual(Object.fromEntries(agents.map(({ agent, calls }) => [agent, calls])), {
      usr_anna: 0,
      usr_ben: 1,
      usr_cara: 1,
    });
    for (const { agent, signed_in_s, ...times } of agents) {
      const parts = [
        "talk_s",
        "held_s",
        "wrap_up_s",
        "paused_s",
        "available_s",
        "ringing_s",
        "unreachable_s",
        "connecting_s",
        "direct_s",
      ];
      const sum = parts.reduce((all, part) => all + times[part], 0);
      assert.ok(Math.abs(sum - signed_in_s) <= parts.length, `${agent}: ${sum} of ${signed_in_s} s`);
    }
    const metrics = await (await fetch(new URL("/metrics", gateway.page))).text();
    const sample = (name) => Number(new RegExp(`^cordboard_${name} (\\S+)$`, "m").exec(metrics)?.[1]);
    assert.equal(sample('queue_entries_total\\{queue="Support",outcome="completed"\\}'), 1);
    assert.equal(sample("calls_active"), 0);
    assert.equal(sample('acd_offers_total\\{result="no-answer"\\}'), 1);
    // Cara found the call among the recent ones.
    await cara.waitFor(".record");
    assert.match(await cara.text(".record"), /The invoice goes out again\./);
  } catch (error) {
    error.message += `\n${gateway?.program.output().slice(-4000)}`;
    throw error;
  } finally {
    await cleanup.run();
  }
});
