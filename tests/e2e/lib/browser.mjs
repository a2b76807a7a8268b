// Chromium and Firefox ESR, started for tests: fake microphones, loopback candidates allowed, no questions asked.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { soundServer } from "./sound.mjs";
import { sine, writeWav } from "./tone.mjs";

const PROGRAMS = {
  chromium: [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  firefox: [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

export const KINDS = ["chromium", "firefox"];

function programOf(kind) {
  const found = PROGRAMS[kind].find((path) => path && existsSync(path));
  if (!found) throw new Error(`${kind} is not installed; tests/install tests`);
  return found;
}

/**
 * @param {'chromium' | 'firefox'} kind
 * @param {{ tone?: number, amplitude?: number, microphone?: boolean }} options the tone that a Chromium microphone
 *   plays (a Firefox page makes its own, see page/client.js); `microphone: false` refuses it
 */
export async function launch(kind, { tone = 1000, amplitude = 0.25, microphone = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), `cordboard-${kind}-`));
  const sound = kind === "firefox" ? await soundServer() : undefined;
  const options = kind === "chromium" ? chromium(folder, tone, amplitude, microphone) : firefox(microphone, sound);
  const browser = await puppeteer.launch({
    executablePath: programOf(kind),
    headless: true,
    protocolTimeout: 120_000,
    ...options,
  });
  return {
    kind,
    /** Level of the microphone's tone, dB relative to a full-scale sine wave, and its frequency. */
    tone,
    amplitude,
    async open(url, { viewport = { width: 1100, height: 900 }, colorScheme } = {}) {
      const page = await browser.newPage();
      page.setDefaultTimeout(30_000);
      await page.setViewport(viewport);
      if (colorScheme && kind === "chromium")
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: colorScheme }]);
      page.problems = [];
      page.on("pageerror", (error) => page.problems.push(String(error?.message ?? error)));
      page.on("console", (message) => {
        if (process.env.E2E_VERBOSE) console.error(`[${kind}]`, message.text());
      });
      // A page in a call asks before it is left.
      page.on("dialog", (dialog) => dialog.accept().catch(() => undefined));
      await page.goto(url);
      return page;
    },
    async close() {
      await browser.close();
      sound?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function chromium(folder, tone, amplitude, microphone) {
  const wav = join(folder, "microphone.wav");
  // Chromium is silent for 10 ms whenever it starts the file again, so the file is longer than any test.
  writeWav(wav, sine(tone, 180, { rate: 48_000, amplitude }), 48_000);
  return {
    userDataDir: join(folder, "profile"),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-renderer-backgrounding",
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--allow-loopback-in-peer-connection",
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      "--autoplay-policy=no-user-gesture-required",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${wav}`,
      microphone ? "--use-fake-ui-for-media-stream" : "--deny-permission-prompts",
    ],
  };
}

function firefox(microphone, sound) {
  return {
    browser: "firefox",
    env: { ...process.env, PULSE_SERVER: sound.address },
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": microphone,
      "permissions.default.microphone": microphone ? 1 : 2,
      "media.peerconnection.ice.loopback": true,
      "media.peerconnection.ice.obfuscate_host_addresses": false,
      "media.autoplay.default": 0,
      "media.autoplay.blocking_policy": 0,
      "media.getusermedia.aec_enabled": false,
      "media.getusermedia.agc_enabled": false,
      "media.getusermedia.noise_enabled": false,
      // Nothing of what a browser tells its maker.
      "app.update.enabled": false,
      "datareporting.policy.dataSubmissionEnabled": false,
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
      "toolkit.telemetry.enabled": false,
    },
  };
}
