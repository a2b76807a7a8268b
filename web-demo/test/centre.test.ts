import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asker } from "../src/centre/api";
import { Backoff } from "../src/centre/backoff";
import { ServerClock, secondsLeft, secondsSince } from "../src/centre/clock";
import { hours, mos, percent, wait } from "../src/centre/format";
import { applyEvent, pictureOf } from "../src/centre/picture";
import { Problem } from "../src/centre/problem";
import { Session } from "../src/centre/session";
import { callerName, problemWords, verificationDetail, verificationLabel } from "../src/centre/words";

describe("time", () => {
  test("the quickest message tells the gateway's clock", () => {
    const clock = new ServerClock();
    assert.equal(clock.at(1000), 1000);
    clock.heard(61_000, 1500);
    assert.equal(clock.at(2000), 61_500);
    clock.heard(61_200, 1300);
    assert.equal(clock.at(2000), 61_900);
    clock.heard(10_000, 1400);
    assert.equal(clock.at(2000), 61_900, "an old event that came after a cut");
    clock.heard(Number.NaN, 1400);
    clock.reset();
    assert.equal(clock.at(2000), 2000);
  });

  test("counts up from a moment and down to one", () => {
    const at = Date.parse("2026-11-23T09:30:10.000Z");
    assert.equal(secondsSince("2026-11-23T09:30:00.000Z", at), 10);
    assert.equal(secondsSince("2026-11-23T09:31:00.000Z", at), 0, "never negative");
    assert.equal(secondsSince(null, at), 0);
    assert.equal(secondsLeft("2026-11-23T09:30:12.400Z", at), 3);
    assert.equal(secondsLeft("2026-11-23T09:30:10.000Z", at), 0);
    assert.equal(secondsLeft("nonsense", at), 0);
  });

  test("waits longer each time, and never two pages alike", () => {
    const least = new Backoff(() => 0);
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7].map(() => least.next()),
      [250, 500, 1000, 2000, 4000, 7500, 7500],
    );
    least.succeeded();
    assert.equal(least.next(), 250);
    assert.equal(new Backoff(() => 1).next(), 500);
  });
});

describe("figures", () => {
  test("waits and hours", () => {
    assert.deepEqual([0, 8.4, 59.6, 80, 3723].map(wait), ["0 s", "8 s", "1:00", "1:20", "1:02:03"]);
    assert.deepEqual([0, 59, 2520, 11_100].map(hours), ["0 min", "0 min", "42 min", "3 h 05"]);
  });

  test("99.9% is not 100%", () => {
    assert.deepEqual([0, 0.934, 0.999, 1, null].map(percent), ["0%", "93%", "99%", "100%", "\u2013"]);
    assert.deepEqual([4.27, null].map(mos), ["4.3", "\u2013"]);
  });

  test("a caller without a name has a number, and without both is unknown", () => {
    assert.equal(callerName({ number: "+4930", display: "Ada" }), "Ada");
    assert.equal(callerName({ number: "+4930", display: "" }), "+4930");
    assert.equal(callerName({ number: "", display: "" }), "Unknown caller");
  });

  test("the verdict on a caller is said in words, and never as more than it is", () => {
    const of = (
      verdict: "verified" | "failed" | "absent" | "unavailable",
      attestation: "A" | "B" | "C" | null,
      reason: string | null,
    ) => {
      const verification = { verdict, attestation, reason, signer: [] };
      return `${verificationLabel(verification)}: ${verificationDetail(verification)}`;
    };
    assert.match(of("verified", "A", null), /^Verified number: .*attestation A/);
    assert.match(of("verified", "B", null), /^Verified origin: .*not whether the number is theirs/);
    assert.match(of("verified", "C", null), /^Verified origin: .*attestation C/);
    assert.equal(of("verified", null, null), "Verified origin: The call is signed.");
    assert.equal(of("failed", null, "the signature is wrong"), "Number may be forged: the signature is wrong");
    assert.equal(of("absent", null, "the call is not signed"), "Number not verified: the call is not signed");
    assert.match(of("unavailable", null, "late"), /not verified yet: late/);
  });
});

test("what the gateway says no to has words", () => {
  assert.match(problemWords(new Problem(401, "bad-credentials")), /wrong/);
  assert.match(problemWords(new Problem(429, "too-many-attempts", "", 130)), /3 min/);
  assert.match(problemWords(new Problem(0, "no-connection")), /not responding/);
  assert.match(problemWords(new Problem(418, "teapot", "no coffee here")), /no coffee here/);
  assert.match(problemWords(new Problem(500, "unknown")), /500/);
  assert.match(problemWords(new TypeError("x")), /did not work/);
});

test("changes are laid over the snapshot", () => {
  const base = { me: { id: "usr_a", name: "a", display: "A", roles: [] }, agents: [], queues: [], calls: [], offers: [] };
  const picture = pictureOf(base);
  const call = { id: "call_1" };
  const part = (type: string, data: unknown) => applyEvent(picture, { type, data } as never);
  assert.equal(part("offer.made", { id: "off_1", agent: "usr_a", call }).part, "offers");
  assert.equal(picture.offers.size, 1);
  part("offer.ended", { id: "off_1", call: "call_1", agent: "usr_a", how: "accepted" });
  assert.equal(picture.offers.size, 0);
  part("call.changed", call);
  assert.deepEqual(part("call.ended", { id: "call_1", record: { id: "rec_1" } }).ended, { id: "rec_1" });
  assert.equal(picture.calls.size, 0);
  part("agent.changed", { id: "usr_a", status: "available" });
  part("agent.changed", { id: "usr_a", status: "paused" });
  assert.equal(picture.agents.get("usr_a")?.status, "paused");
  part("agent.removed", { id: "usr_a" });
  part("queue.changed", { id: "que_1" });
  part("queue.removed", { id: "que_1" });
  assert.equal(picture.agents.size + picture.queues.size, 0);
  assert.deepEqual(part("something.new", {}), {});
});

describe("signing in", () => {
  const user = { id: "usr_a", name: "a", display: "A", roles: ["agent"] };
  /** A gateway whose answers stand in a list; it tells what it was asked. */
  const gateway = (answers: (Response | "away")[]) => {
    const asked: string[] = [];
    const fetch = async (path: string, init: RequestInit) => {
      const { Authorization } = (init.headers ?? {}) as Record<string, string>;
      asked.push(`${init.method} ${path} ${Authorization ?? (init.body as string)}`);
      const answer = answers.shift();
      if (!answer || answer === "away") throw new TypeError("network");
      return answer;
    };
    return { asked, fetch };
  };
  const tokens = (n: number) =>
    Response.json({ access_token: `access${n}`, expires_in: 600, refresh_token: `refresh${n}`, user });
  const no = (status: number, code: string) => Response.json({ code }, { status });
  const tokenStore = () => {
    let kept: never | undefined;
    return { read: () => kept, write: (value: never) => (kept = value) } as never;
  };

  test("the token is renewed before it ends, once for all who wait", async () => {
    let now = 0;
    const { asked, fetch } = gateway([tokens(1), tokens(2)]);
    const session = new Session(fetch, tokenStore(), () => now);
    await session.signIn("a", "b");
    assert.equal(await session.token(), "access1");
    now = 580_000;
    assert.deepEqual(await Promise.all([session.token(), session.token()]), ["access2", "access2"]);
    assert.deepEqual(asked.slice(1), ['POST /auth/refresh {"refresh_token":"refresh1"}']);
  });

  test("a reload goes on with what the tab kept", async () => {
    const store = tokenStore();
    await new Session(gateway([tokens(1)]).fetch, store, () => 0).signIn("a", "b");
    const again = new Session(gateway([]).fetch, store, () => 1000);
    assert.equal(again.user.value?.id, "usr_a");
    assert.equal(await again.token(), "access1");
  });

  test("a gateway that is away does not sign anybody out; its no does", async () => {
    const { fetch } = gateway([tokens(1), "away", no(401, "token-reused")]);
    const session = new Session(fetch, tokenStore(), () => 0);
    await session.signIn("a", "b");
    await assert.rejects(session.renew(), { code: "no-connection" });
    assert.ok(session.user.value);
    await assert.rejects(session.renew(), { code: "token-reused" });
    assert.equal(session.user.value, undefined);
    assert.equal(session.lost.value, true);
  });

  test("who ends the sign-in is signed in until the gateway knows", async () => {
    const { asked, fetch } = gateway([tokens(1), "away", new Response(null, { status: 204 })]);
    const session = new Session(fetch, tokenStore(), () => 0);
    await session.signIn("a", "b");
    await assert.rejects(session.end(), { code: "no-connection" });
    assert.ok(session.user.value);
    await session.end();
    assert.equal(session.user.value, undefined);
    assert.equal(asked.at(-1), 'POST /auth/logout {"refresh_token":"refresh1"}');
  });

  test("a wrong password is known by its code", async () => {
    const session = new Session(gateway([no(401, "bad-credentials")]).fetch, tokenStore());
    await assert.rejects(session.signIn("a", "b"), { status: 401, code: "bad-credentials" });
    assert.equal(session.lost.value, false);
  });

  test("asks again with a new token where the old one is not taken, and after a lost answer", async () => {
    const { asked, fetch } = gateway([
      tokens(1),
      no(401, "invalid-token"),
      tokens(2),
      Response.json({ a: 1 }),
      "away",
      Response.json({ a: 2 }),
    ]);
    const session = new Session(fetch, tokenStore(), () => 0);
    await session.signIn("a", "b");
    const ask = asker(session, fetch);
    assert.deepEqual(await ask("GET", "/me"), { a: 1 });
    assert.deepEqual(await ask("GET", "/me"), { a: 2 });
    assert.deepEqual(asked.slice(1), [
      "GET /me Bearer access1",
      'POST /auth/refresh {"refresh_token":"refresh1"}',
      "GET /me Bearer access2",
      "GET /me Bearer access2",
      "GET /me Bearer access2",
    ]);
    await assert.rejects(ask("PUT", "/me/agent/intent", { body: { intent: "paused" } }), { status: 0 });
  });

  test("a proxy whose gateway is away is no answer of the gateway", async () => {
    const { fetch } = gateway([tokens(1), new Response("<h1>Bad Gateway</h1>", { status: 502 })]);
    const session = new Session(fetch, tokenStore(), () => 0);
    await session.signIn("a", "b");
    await assert.rejects(asker(session, fetch)("GET", "/me"), { status: 0, code: "no-connection" });
  });
});
