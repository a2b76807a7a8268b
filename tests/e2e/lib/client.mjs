// A test's handle on the client page: steps as methods, state as promises, sound as samples.
import { blockSize, toneIn, toneSeconds } from "./heard.mjs";
import { ofSound } from "./lateness.mjs";
import { strongest } from "./tone.mjs";
import { until } from "./wait.mjs";

export class Client {
  static async open(browser, site, options) {
    const page = await browser.open(site.url);
    const client = new Client(page, browser);
    if (options) await client.start(options);
    return client;
  }

  constructor(page, browser) {
    this.page = page;
    this.browser = browser;
  }

  /** Starts the SIP client and waits until it is registered, or with `expect: 'failed'` refused. */
  async start({ gateway, user = "1001", password = "cordboard", library = "jssip", expect = "registered", ...more }) {
    const options = {
      library,
      server: gateway?.ws ?? more.server,
      uri: `sip:${user}@127.0.0.1`,
      user,
      password,
      // A Firefox fake microphone cannot be told what to play.
      ...(this.browser.kind === "firefox" ? { tone: this.browser.tone, amplitude: this.browser.amplitude } : {}),
      ...more,
    };
    await this.page.evaluate((options) => client.start(options), options);
    await this.registration(expect);
  }

  registration(state = "registered", timeout = 15_000) {
    return until(`${state}`, async () => (await this.get("registration")) === state, timeout);
  }

  get(name) {
    return this.page.evaluate((name) => client[name], name);
  }

  /** Calls and returns the handle; `target` is a number or a whole address. */
  async call(target) {
    const uri = target.startsWith("sip:") ? target : `sip:${target}@127.0.0.1`;
    return new BrowserCall(this, await this.page.evaluate((uri) => client.call(uri), uri));
  }

  /** The `n`th incoming call of this page. */
  async incoming(n = 0, timeout = 10_000) {
    const index = await until(
      "an incoming call",
      async () => {
        const all = await this.page.evaluate(() => client.calls.map((call) => call.direction));
        const found = all.flatMap((direction, index) => (direction === "in" ? [index] : []))[n];
        return found === undefined ? undefined : { index: found };
      },
      timeout,
    );
    return new BrowserCall(this, index.index);
  }

  async close() {
    await this.page.close();
  }
}

export class BrowserCall {
  constructor(client, index) {
    this.client = client;
    this.index = index;
  }

  do(verb, ...args) {
    return this.client.page.evaluate((index, verb, args) => client.calls[index][verb](...args), this.index, verb, args);
  }

  summary() {
    return this.do("summary");
  }

  stats() {
    return this.do("stats");
  }

  /** Waits for the state and returns the summary. A call that ends instead says why. */
  async reaches(state, timeout = 10_000) {
    let seen;
    const result = await until(
      `the call is ${state}`,
      async () => {
        seen = await this.summary();
        if (seen.state === "over" && state !== "over") return seen;
        return seen.state === state ? seen : undefined;
      },
      timeout,
    ).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(seen)}`);
    });
    if (result.state !== state) throw new Error(`the call is over instead of ${state}: ${JSON.stringify(result)}`);
    return result;
  }

  async hangUp() {
    await this.do("hangUp");
    return this.reaches("over");
  }

  forget() {
    return this.client.page.evaluate((index) => client.calls[index].ears?.forget(), this.index);
  }

  /** Everything heard since the last `forget()`, but for the first `from` samples. */
  async samples(from = 0) {
    const heard = await this.client.page.evaluate((index, from) => client.calls[index].ears?.get(from), this.index, from);
    if (!heard) return { samples: new Float32Array(0), rate: 48_000 };
    const octets = Buffer.from(heard.samples, "base64");
    const samples = new Float32Array(octets.length / 2);
    for (let n = 0; n < samples.length; n++) samples[n] = octets.readInt16LE(2 * n) / 32_768;
    return { samples, rate: heard.rate };
  }

  /** Listens afresh for `seconds` and returns what was heard, less where nothing comes for `patience` ms more. */
  async listen(seconds, patience = 10_000) {
    await this.forget();
    const wanted = async () => {
      const { count, rate } = await this.client.page.evaluate((index) => {
        const { count = 0, rate = 1 } = client.calls[index].ears ?? {};
        return { count, rate };
      }, this.index);
      return count >= seconds * rate;
    };
    await until(`${seconds} s of sound`, wanted, seconds * 1000 + patience, 50).catch(() => undefined);
    return this.samples();
  }

  /** Waits until the tone is there, then for this much more of it, and returns what that was like. */
  async hears(frequency, { seconds = 2, timeout = 12_000 } = {}) {
    await this.forget();
    // Buffers find their depth in the first moments of a call.
    await this.#waitFor(frequency, 0.5, timeout);
    await this.forget();
    const { samples, rate } = await this.#waitFor(frequency, seconds, timeout);
    return toneIn(samples, rate, frequency);
  }

  async #waitFor(frequency, seconds, timeout) {
    let heard = await this.samples();
    // What was measured is not measured again: this process may play to the page meanwhile.
    let measured = 0;
    let found = 0;
    await until(
      `${seconds} s of ${frequency} Hz`,
      async () => {
        const { samples, rate } = await this.samples(heard.samples.length);
        const all = new Float32Array(heard.samples.length + samples.length);
        all.set(heard.samples);
        all.set(samples, heard.samples.length);
        heard = { samples: all, rate };
        const whole = all.length - (all.length % blockSize(rate));
        found += toneSeconds(all.subarray(measured, whole), rate, frequency);
        measured = whole;
        return found >= seconds;
      },
      timeout,
      200,
    ).catch((error) => {
      const recent = heard.samples.subarray(-Math.round(heard.rate / 2));
      const loudest = recent.length ? strongest(recent, heard.rate) : "nothing";
      throw ofSound(new Error(`${error.message}; heard at last: ${JSON.stringify(loudest)}`));
    });
    return heard;
  }
}
