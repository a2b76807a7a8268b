// What most cases need: a gateway, the client page's site, browsers; started once a file, taken down at its end.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { KINDS, launch } from "./browser.mjs";
import { Client } from "./client.mjs";
import { Gateway } from "./cordboard.mjs";
import { isTone } from "./heard.mjs";
import { listening, heard as observed } from "./lateness.mjs";
import { Phone } from "./phone.mjs";
import { serveSite } from "./site.mjs";
import { dbOfPeak } from "./tone.mjs";
import { Cleanup } from "./wait.mjs";

export const LIBRARIES = ["jssip", "sipjs"];
/** Peak of every tone that is sent, and its level. */
export const AMPLITUDE = 0.25;
export const LEVEL = dbOfPeak(AMPLITUDE);
/** What a browser says, and what a phone says. */
export const BROWSER_TONE = 1000;
export const PHONE_TONE = 440;

/**
 * Starts the scene for the cases of this file; its members are filled in before the first of them runs.
 * `config`: what the gateway's file says besides its ports, `options` the others of `Gateway.start`. `browsers`: names to kinds, e.g. { chromium: ['chromium', { tone: 1000 }] }.
 */
export function scene({ config, options, browsers = { chromium: ["chromium"] } } = {}) {
  const stage = { browsers: {} };
  const whole = new Cleanup();
  before(async () => {
    stage.gateway = await Gateway.start(whole, typeof config === "function" ? await config() : config, await options?.());
    stage.site = await serveSite();
    whole.add(() => stage.site.close());
    for (const [name, [kind, settings]] of Object.entries(browsers)) {
      const browser = await launch(kind, { tone: BROWSER_TONE, amplitude: AMPLITUDE, ...settings });
      stage.browsers[name] = browser;
      whole.add(() => browser.close());
    }
  });
  after(() => whole.run());

  /** For one case: everything opened through it is closed at its end, whatever happens. */
  stage.play = (act) => () => listening(() => once(act));
  const once = async (act) => {
    const cleanup = new Cleanup();
    try {
      await act({
        gateway: stage.gateway,
        async client(name = "chromium", settings = {}) {
          const client = await Client.open(stage.browsers[name], stage.site);
          cleanup.add(() => client.close().catch(() => undefined));
          await client.start({ gateway: stage.gateway, ...settings });
          return client;
        },
        async phone(user = "1003", { register = true } = {}) {
          const phone = await Phone.start({ user, server: stage.gateway.port });
          cleanup.add(() => phone.close());
          if (register) {
            assert.equal(await phone.register(), 200);
            cleanup.add(() => phone.register({ expires: 0 }));
          }
          return phone;
        },
        cleanup,
      });
    } catch (error) {
      error.message += `\n${stage.gateway.program.output().slice(-4000)}`;
      throw error;
    } finally {
      await cleanup.run();
    }
  };
  return stage;
}

/** Both browsers with both libraries. */
export function everyClient(body) {
  for (const kind of KINDS) {
    describe(kind, () => {
      const stage = scene({ browsers: { [kind]: [kind] } });
      for (const library of LIBRARIES) describe(library, () => body({ stage, kind, library }));
    });
  }
}

/** The tone is there, clean, as loud as it was sent, and without a gap. */
export function assertTone(heard, frequency, { level = LEVEL, tolerance = 0.5, gap = 60, seconds = 0.7 } = {}) {
  isTone(assert, heard, { frequency, db: level, within: tolerance, gap, seconds });
  observed(() => assert.ok(heard.purity > 0.95, `nothing but the tone: ${JSON.stringify(heard)}`));
}

/** Everybody hears a tone at the same time: [who, tone]; each is there, clean, and as loud as it was sent. `listen`: how they listen. */
export async function assertTones(ears, { listen, ...wanted } = {}) {
  const heard = await Promise.all(ears.map(([who, tone]) => who.hears(tone, listen)));
  for (const [n, [, tone]] of ears.entries()) assertTone(heard[n], tone, wanted);
}
