// The measuring tools themselves, before anything is measured with them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, launch } from "../lib/browser.mjs";
import { BrowserCall, Client } from "../lib/client.mjs";
import { fromMulaw, toMulaw } from "../lib/g711.mjs";
import { heard, LATE, listening, TIMES } from "../lib/lateness.mjs";
import { serveSite } from "../lib/site.mjs";
import { dbOfPeak, digitsIn, measureTone, readWav, sine, strongest, writeWav } from "../lib/tone.mjs";
import { until } from "../lib/wait.mjs";

describe("an observation of sound", () => {
  /** How often it is made when it is right only the `good`th time and the machine was so late each time. */
  const made = async (good, late, mark = (act) => heard(act)) => {
    let times = 0;
    const act = () => mark(() => assert.ok(++times >= good, "wrong"));
    const outcome = await listening(act, undefined, { since: async () => late }).then(
      () => "right",
      () => "wrong",
    );
    return [times, outcome];
  };

  test("is made again when it was wrong and the machine was late, a few times", async () => {
    assert.deepEqual(await made(3, LATE), [3, "right"]);
    assert.deepEqual(await made(99, LATE), [TIMES, "wrong"]);
  });

  test("is wrong at once when the machine was in time, and so is anything else that fails", async () => {
    assert.deepEqual(await made(2, LATE - 1), [1, "wrong"]);
    assert.deepEqual(await made(2, 10 * LATE, (act) => act()), [1, "wrong"]);
  });

  test("knows when this process was late", async () => {
    let worst;
    let times = 0;
    await listening(async () => {
      const until = Date.now() + (times++ ? 0 : 100);
      while (Date.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 30));
      worst = times;
      heard(() => assert.ok(times > 1));
    });
    assert.equal(worst, 2);
  });
});

describe("tone detector", () => {
  for (const [frequency, rate] of [
    [1004, 8000],
    [440, 8000],
    [1000, 48_000],
    [697, 44_100],
  ]) {
    test(`${frequency} Hz at ${rate}`, () => {
      const samples = sine(frequency, 2, { rate, amplitude: 0.25 });
      assert.ok(Math.abs(strongest(samples, rate).frequency - frequency) < 0.5);
      const heard = measureTone(samples, rate, frequency);
      assert.ok(Math.abs(heard.db - dbOfPeak(0.25)) < 0.1, `${heard.db}`);
      assert.ok(heard.purity > 0.99);
      assert.deepEqual(heard.gaps, []);
    });
  }

  test("finds a gap of 60 ms and its place", () => {
    const samples = sine(1000, 2, { rate: 8000 });
    samples.fill(0, 8000, 8480);
    const { gaps, db } = measureTone(samples, 8000, 1000);
    assert.equal(gaps.length, 1);
    assert.ok(Math.abs(gaps[0].at - 1000) <= 10 && Math.abs(gaps[0].length - 60) <= 10, JSON.stringify(gaps));
    assert.ok(Math.abs(db - dbOfPeak(0.25)) < 0.3);
  });

  test("noise is no tone", () => {
    let seed = 1;
    const samples = Float32Array.from({ length: 16_000 }, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return (seed / 2_147_483_647 - 0.5) * 0.5;
    });
    assert.ok(measureTone(samples, 8000, 1000).purity < 0.05);
    assert.equal(digitsIn(samples, 8000), "");
  });

  test("another tone is not taken for the one asked for", () => {
    const heard = measureTone(sine(1100, 2, { rate: 8000 }), 8000, 1000);
    assert.ok(heard.purity < 0.01);
  });

  test("reads DTMF digits", () => {
    const rate = 8000;
    const pair = ([low, high]) => {
      const a = sine(low, 0.12, { rate, amplitude: 0.2 });
      const b = sine(high, 0.12, { rate, amplitude: 0.2 });
      return [...a.map((sample, n) => sample + b[n]), ...new Float32Array(0.08 * rate)];
    };
    const samples = Float32Array.from([pair([697, 1209]), pair([697, 1209]), pair([770, 1336]), pair([941, 1477])].flat());
    assert.equal(digitsIn(samples, rate), "115#");
  });

  test("mu-law there and back keeps level and frequency", () => {
    const samples = sine(1004, 2, { rate: 8000 }).map((sample) => fromMulaw(toMulaw(sample)));
    const heard = measureTone(samples, 8000, 1004);
    assert.ok(Math.abs(heard.db - dbOfPeak(0.25)) < 0.05);
    assert.equal(toMulaw(0), 0xff);
    assert.equal(fromMulaw(0x00).toFixed(4), (-32_124 / 32_768).toFixed(4));
    assert.equal(fromMulaw(0x80).toFixed(4), (32_124 / 32_768).toFixed(4));
  });

  test("WAV there and back", () => {
    const folder = mkdtempSync(join(tmpdir(), "cordboard-wav-"));
    try {
      const samples = sine(440, 0.5, { rate: 16_000 });
      writeWav(join(folder, "a.wav"), samples, 16_000);
      const read = readWav(join(folder, "a.wav"));
      assert.equal(read.rate, 16_000);
      assert.equal(read.samples.length, samples.length);
      assert.ok(Math.abs(read.samples[100] - samples[100]) < 1e-4);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

for (const kind of KINDS) {
  describe(`ears of ${kind}`, () => {
    let browser;
    let site;
    before(async () => {
      site = await serveSite();
      browser = await launch(kind, { tone: 1000, amplitude: 0.25 });
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

    // What a browser does to a level by itself, so that the rest can be put to the gateway's account.
    for (const codec of ["opus", "PCMU"]) {
      test(`a tone through ${codec} between two peers of one page`, async () => {
        const client = await Client.open(browser, site);
        const own = kind === "firefox" ? { tone: 1000, amplitude: 0.25 } : {};
        const index = await client.page.evaluate((options) => client.loop(options), { codec, ...own });
        const call = new BrowserCall(client, index);
        const heard = await call.hears(1000);
        const stats = await call.stats();
        assert.equal(stats.codecIn.toLowerCase(), codec.toLowerCase());
        assert.ok(Math.abs(heard.frequency - 1000) < 1, JSON.stringify(heard));
        assert.ok(Math.abs(heard.db - dbOfPeak(0.25)) < 0.5, JSON.stringify(heard));
        assert.ok(heard.purity > 0.9, JSON.stringify(heard));
        assert.ok(heard.longestGap <= 20, JSON.stringify(heard));
        await client.close();
      });
    }

    test("an RFC 4733 digit is heard as its two tones", async () => {
      const client = await Client.open(browser, site);
      const index = await client.page.evaluate((options) => client.loop(options), { tone: 1000, amplitude: 0.001 });
      const call = new BrowserCall(client, index);
      await until("packets", async () => (await call.stats()).packetsReceived > 100);
      let heard = "";
      // There is no gateway in it: a browser that is kept waiting by the machine swallows a key now and then.
      for (let attempt = 0; attempt < 3 && heard !== "159"; attempt++) {
        await call.forget();
        await call.do("dtmf", "159");
        await until("three digits", async () => {
          const { samples, rate } = await call.samples();
          heard = digitsIn(samples, rate);
          return heard.length >= 3;
        }).catch(() => undefined);
      }
      assert.equal(heard, "159");
      await client.close();
    });
  });
}
