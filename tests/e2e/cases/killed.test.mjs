import { test } from 'node:test';
import { killed, spread } from '../lib/killed.mjs';

test('the gateway is killed with a full queue: everybody keeps their place, and nothing that was told is lost', async (t) => {
  const { silences, recalls } = await killed({ times: 2, waiting: 12 });
  t.diagnostic(`callers heard nothing: ${spread(silences)}; agent and caller back together: ${spread(recalls)}`);
});
