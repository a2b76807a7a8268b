import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { Problem } from "../src/centre/problem";
import { createPage } from "../src/ui/page";
import { connectionOf } from "../src/ui/shell/connection";
import { Notices } from "../src/ui/shell/notices";
import { PageVersion } from "../src/ui/shell/page_version";
import { createWallboard } from "../src/wallboard/wallboard";
import { freshBrowser, settled } from "./lib/browser";
import { refusal, TestGateway } from "./lib/gateway";

describe("what is to be read", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  test("good news goes by itself, what went wrong stays", () => {
    const notices = new Notices(8000);
    const text = () => notices.notice.value?.text;
    notices.show("done");
    mock.timers.tick(7999);
    assert.equal(text(), "done");
    mock.timers.tick(1);
    assert.equal(text(), undefined);
    notices.show("done");
    notices.show("failed", "error");
    mock.timers.tick(60_000);
    assert.equal(text(), "failed");
    notices.dismissInfo();
    assert.equal(text(), "failed");
    notices.dismiss();
    assert.equal(text(), undefined);
  });

  test("a request runs once at a time, and its error is shown in words until the next one is done", async () => {
    const notices = new Notices();
    let refuse: (error: unknown) => void = () => undefined;
    const first = notices.attempt("hold", () => new Promise((_, reject) => (refuse = reject)));
    assert.ok(notices.busy.value.has("hold"));
    assert.equal(await notices.attempt("hold", () => assert.fail("it is under way")), false);
    refuse(new Problem(409, "wrong-state"));
    assert.equal(await first, false);
    assert.match(notices.notice.value?.text ?? "", /not possible right now/);
    assert.equal(notices.busy.value.size, 0);
    assert.equal(await notices.attempt("hold", async () => undefined), true);
    assert.equal(notices.notice.value, undefined);
  });
});

test("the connection in one word: the events, and the phone where the page has one", () => {
  const word = (...of: Parameters<typeof connectionOf>) => connectionOf(...of).word;
  assert.equal(word("live", false, null), "Connected");
  assert.equal(word("live", false, "registered"), "Connected");
  assert.equal(word("live", false, undefined), "Connecting");
  assert.equal(word("live", false, "registering"), "Connecting");
  assert.equal(word("live", false, "refused"), "Phone off");
  assert.equal(word("connecting", false, null), "Connecting");
  assert.equal(word("connecting", true, null), "Reconnecting");
  assert.equal(word("waiting", true, "registered"), "Reconnecting");
});

test("a page whose script the gateway no longer serves is out of date; what is no page says nothing", async () => {
  const html = (script: string) => `<script type="module" src="${script}"></script><div id="app"></div>`;
  let served: string | undefined;
  const version = new PageVersion(
    () => "assets/agent-OLD.js",
    async () => served,
  );
  for (const answer of [undefined, "<h1>Bad Gateway</h1>", html("assets/agent-OLD.js")]) {
    served = answer;
    await version.check();
    assert.equal(version.outdated.value, false, answer);
  }
  served = html("assets/agent-NEW.js");
  await version.check();
  assert.equal(version.outdated.value, true);
  served = html("assets/agent-OLD.js");
  await version.check();
  assert.equal(version.outdated.value, true, "another gateway behind the same address makes it no newer");
});

describe("the wallboard's shell", () => {
  beforeEach(() => {
    freshBrowser();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  });
  afterEach(() => mock.timers.reset());

  const opened = async (roles: string[]) => {
    const gateway = new TestGateway({ id: "usr_sue", name: "sue", roles });
    let checks = 0;
    const version = new PageVersion(
      () => "a.js",
      async () => {
        checks += 1;
        return undefined;
      },
    );
    const wallboard = createWallboard(createPage(), gateway.api, { version });
    await wallboard.start();
    await wallboard.shell.signIn("sue", "cordboard");
    await settled();
    return { gateway, wallboard, checks: () => checks };
  };

  test("lets supervisors and administrators in, and nobody else", async () => {
    for (const role of ["supervisor", "admin"]) {
      assert.equal((await opened([role])).wallboard.shell.stage.value, "signed-in");
    }
    assert.equal((await opened(["agent"])).wallboard.shell.stage.value, "not-allowed");
  });

  test("is for as many tabs as one likes, and looks for a newer page whenever it is connected", async () => {
    const { gateway, wallboard, checks } = await opened(["supervisor"]);
    assert.equal(checks(), 0);
    const wire = gateway.snapshot({});
    assert.deepEqual(JSON.parse(wire.sent[0] ?? ""), { op: "subscribe", from: "snapshot" });
    assert.equal(wallboard.shell.stream.value?.state.value, "live");
    await settled();
    assert.equal(checks(), 1);
    wire.onclose?.({ code: 1006 });
    mock.timers.tick(1000);
    await settled();
    gateway.snapshot({});
    await settled();
    assert.equal(checks(), 2);
  });

  test("another user finds nothing of the one before", async () => {
    const { gateway, wallboard } = await opened(["supervisor"]);
    gateway.snapshot({ queues: [{ id: "que_1", name: "Support" }] });
    assert.equal(wallboard.shell.centre.queues.value.size, 1);
    await wallboard.shell.signOut();
    assert.equal(wallboard.shell.stage.value, "sign-in");
    assert.equal(wallboard.shell.centre.queues.value.size, 0);
    assert.equal(wallboard.shell.centre.known.value, false);
    assert.equal(wallboard.shell.stream.value, undefined);
  });

  test("a sign-in that ended elsewhere is said above the form", async () => {
    const { gateway, wallboard } = await opened(["supervisor"]);
    const wire = gateway.snapshot({});
    gateway.answers.set("POST /auth/ticket", refusal(401, "invalid-token"));
    gateway.answers.set("POST /auth/refresh", refusal(401, "token-reused"));
    wire.onclose?.({ code: 1006 });
    mock.timers.tick(1000);
    await settled();
    assert.equal(wallboard.shell.stage.value, "sign-in");
    assert.match(wallboard.shell.signInNote.value, /signed out/);
  });
});
