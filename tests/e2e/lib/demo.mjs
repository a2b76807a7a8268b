// The page that the gateway serves, used as a person would: by what it shows.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./wait.mjs";

const screens = join(dirname(fileURLToPath(import.meta.url)), "../../.work/screens");

export class DemoPage {
  /** `settings`: the page's own query, e.g. { user: '1002', lib: 'sipjs' }. */
  static async open(browser, address, settings = {}, { ready = true, ...view } = {}) {
    const url = new URL(address);
    for (const [key, value] of Object.entries(settings)) url.searchParams.set(key, value);
    const page = new DemoPage(await browser.open(url.href, view));
    if (ready) await page.shows("#standing", /^Ready as/);
    return page;
  }

  constructor(page) {
    this.page = page;
  }

  text(selector) {
    return this.page.$eval(selector, (element) => element.textContent.trim()).catch(() => undefined);
  }

  has(selector) {
    return this.page.$eval(selector, () => true).catch(() => false);
  }

  /** Waits until the element says this, and returns what it says. */
  async shows(selector, pattern, timeout = 15_000) {
    let seen;
    return until(
      `${selector} shows ${pattern}`,
      async () => {
        seen = await this.text(selector);
        return seen !== undefined && pattern.test(seen) ? seen : undefined;
      },
      timeout,
      50,
    ).catch(async (error) => {
      const body = await this.page.$eval("body", (element) => element.textContent);
      throw new Error(`${error.message}; it shows ${JSON.stringify(seen)}\n${body}`);
    });
  }

  waitFor(selector, timeout = 15_000) {
    return until(`${selector} is there`, () => this.has(selector), timeout, 50);
  }

  /** As a script in the page would, so that nothing has to be in view. */
  async press(selector) {
    await this.waitFor(selector);
    await this.page.$eval(selector, (element) => element.click());
  }

  async type(selector, text) {
    await this.page.$eval(selector, (element) => {
      element.focus();
      if (document.activeElement !== element) throw new Error(`${element.id} cannot be typed into`);
      element.select();
    });
    await this.page.keyboard.press("Backspace");
    await this.page.keyboard.type(text);
  }

  /** Controls that are too small for fingers (WCAG 2.5.5), on a screen that is touched. */
  smallTargets() {
    return this.page.evaluate(() => {
      if (!matchMedia("(pointer: coarse)").matches) return [];
      const all = document.querySelectorAll(
        "button, a[href]:not(.skip), select, summary, .pick, input:not([type=radio], [type=checkbox], [type=range])",
      );
      return [...all]
        .filter((one) => one.getClientRects().length > 0 && !one.closest("p"))
        .map((one) => [one, one.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 43.5 || height < 43.5)
        .map(([one, { width, height }]) => `${one.outerHTML.slice(0, 80)} is ${Math.round(width)} x ${Math.round(height)}`);
    });
  }

  async screenshot(name) {
    mkdirSync(screens, { recursive: true });
    await this.page.screenshot({ path: join(screens, `${name}.png`) });
  }

  async close() {
    await this.page.close().catch(() => undefined);
  }
}
