// Cases on the agent desktop, each on a gateway of its own.
import assert from "node:assert/strict";
import { CentrePage } from "./centre_page.mjs";
import { Gateway } from "./cordboard.mjs";
import { Cleanup } from "./wait.mjs";

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Plays a case on a gateway of its own, so that no agent is left in a state of the case before. */
export const play = (browser, act) => async () => {
  const cleanup = new Cleanup();
  try {
    const gateway = await Gateway.start(cleanup);
    const open = async (view, from = gateway) => {
      const page = await CentrePage.open(browser(), from, "agent", view);
      cleanup.add(async () => {
        assert.deepEqual(page.page.problems, []);
        await page.close();
      });
      return page;
    };
    await act({ gateway, cleanup, open });
  } finally {
    await cleanup.run();
  }
};
