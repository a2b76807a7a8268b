import { test } from "node:test";
import { killed, spread } from "../../lib/killed.mjs";

test("twenty kills with a full queue", async (t) => {
  const { silences, recalls } = await killed({ times: 20, waiting: 40 });
  t.diagnostic(`callers heard nothing: ${spread(silences)}; agent and caller back together: ${spread(recalls)}`);
});
