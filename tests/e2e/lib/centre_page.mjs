// The agent desktop and the wallboard, used as a person would.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DemoPage } from "./demo.mjs";
import { until } from "./wait.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Screens that the pages must look right on. */
export const VIEWS = {
  "desktop-light": { viewport: { width: 1440, height: 900 }, colorScheme: "light" },
  "tablet-dark": { viewport: { width: 1024, height: 768 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 360, height: 740, isMobile: true, hasTouch: true }, colorScheme: "light" },
  "narrow-dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
};

export class CentrePage extends DemoPage {
  /** @param {'agent' | 'wallboard'} path */
  static async open(browser, gateway, path, view = {}) {
    const page = new CentrePage(await browser.open(new URL(path, gateway.page).href, view));
    await page.waitFor("#app > *");
    return page;
  }

  /** Fills the form in and sends it. */
  async signIn(user, password = "cordboard") {
    await this.waitFor("#user");
    await this.type("#user", user);
    await this.type("#password", password);
    await this.press("#signin");
  }

  /** Signs in and goes online, so that calls can come. */
  async goOnline(user) {
    await this.signIn(user);
    await this.shows("#connection", /^Connected$/);
    await this.press("#go-online");
    await this.shows("#state-now", /^Available/);
  }

  /** Once it can be pressed. */
  async press(selector) {
    await this.waitFor(`${selector}:not(:disabled)`);
    await this.page.$eval(selector, (element) => element.click());
  }

  gone(selector) {
    return until(`${selector} is gone`, async () => !(await this.has(selector)));
  }

  /** Answers what rings, and waits until it is heard. */
  async answer() {
    await this.page.bringToFront();
    await this.press("#answer");
    await this.shows("#call-state", /^Talking$/);
    await this.hearsSomething();
  }

  hearsSomething() {
    const level = '[aria-label="Level of the other side"]';
    return until("sound from the other side", () =>
      this.page.$eval(level, (meter) => Number(meter.getAttribute("aria-valuenow")) > 10).catch(() => false),
    );
  }

  /** What axe finds, as text; whether anything sticks out at the side; and what is too small to be touched. */
  async problems() {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    return [
      ...found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`),
      ...(wide ? ["wider than the screen"] : []),
      ...(await this.smallTargets()),
    ];
  }

  /** Id of what has the focus. */
  focused() {
    return this.page.evaluate(() => document.activeElement?.id);
  }
}
