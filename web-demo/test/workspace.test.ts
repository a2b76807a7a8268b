import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { type AgentWorkspace, createAgentWorkspace } from "../src/agent/workspace";
import type { Agent, CentreCall, Status } from "../src/centre/objects";
import { createPage } from "../src/ui/page";
import { PageVersion } from "../src/ui/shell/page_version";
import { browser, freshBrowser, settled } from "./lib/browser";
import { refusal, TestGateway } from "./lib/gateway";
import { testLibrary } from "./lib/phones";

const AT = "2026-11-23T09:30:00.000Z";

const agent = (name: string, status: Status, call: string | null = null): Agent => ({
  id: `usr_${name}`,
  name,
  display: name,
  status,
  since: AT,
  reason: null,
  next: null,
  reach: "attached",
  call,
  wrap_up_until: null,
  queues: [],
  today: { calls: 0, talk_s: 0, wrap_up_s: 0, paused_s: 0, signed_in_s: 0, occupancy: 0 },
});

const call = (id: string, more: Partial<CentreCall> = {}): CentreCall => ({
  id,
  from: { number: "+4930", display: "Ada" },
  to: "9000",
  priority: 0,
  state: "talking",
  since: AT,
  entered_at: AT,
  parties: [],
  queue: { id: "que_1", name: "Support" },
  ...more,
});

interface Playing {
  gateway: TestGateway;
  library: ReturnType<typeof testLibrary>;
  workspace: AgentWorkspace;
  reloads: () => number;
}

/** A workspace of an agent who is signed in, with a phone that is registered. */
async function signedIn(name: string, roles = ["agent"]): Promise<Playing> {
  const gateway = new TestGateway({ id: `usr_${name}`, name, roles });
  const library = testLibrary();
  let reloads = 0;
  const workspace = createAgentWorkspace(createPage(), gateway.api, {
    library: library.load,
    version: new PageVersion(() => undefined),
    reload: () => {
      reloads += 1;
    },
  });
  await workspace.start();
  assert.equal(workspace.shell.stage.value, "sign-in");
  await workspace.shell.signIn(name, "cordboard");
  await settled();
  return { gateway, library, workspace, reloads: () => reloads };
}

const textOf = (workspace: AgentWorkspace) => workspace.shell.notices.notice.value?.text;

describe("the agent's workspace", () => {
  beforeEach(() => {
    freshBrowser();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  });
  afterEach(() => mock.timers.reset());

  test("shows the agent's state and call, and no other workspace's", async () => {
    const anna = await signedIn("anna");
    anna.gateway.snapshot({ agents: [agent("anna", "talking", "call_1")], calls: [call("call_1")] });
    const ben = await signedIn("ben");
    ben.gateway.snapshot({ agents: [agent("ben", "available"), agent("anna", "talking", "call_1")], calls: [call("call_1")] });
    assert.equal(anna.workspace.state.me.value?.status, "talking");
    assert.equal(anna.workspace.state.call.value?.id, "call_1");
    assert.equal(ben.workspace.state.me.value?.status, "available");
    assert.equal(ben.workspace.state.call.value, undefined);
    anna.workspace.toggleDrawer("keypad");
    assert.equal(ben.workspace.drawer.value, undefined);
  });

  test("is not for users who are no agents", async () => {
    const { workspace, library } = await signedIn("sue", ["supervisor"]);
    assert.equal(workspace.shell.stage.value, "not-allowed");
    assert.equal(library.phones.length, 0);
    await workspace.signOut();
    assert.equal(workspace.shell.stage.value, "sign-in");
  });

  test("an offer rings; answered before its INVITE is here, it is answered when it comes", async () => {
    const { gateway, library, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "available")] });
    const offer = { id: "off_1", call: call("call_1", { state: "ringing" }), agent: "usr_anna", made_at: AT, deadline: AT };
    gateway.event("offer.made", offer);
    assert.equal(workspace.state.rings.value?.offer?.id, "off_1");
    assert.equal(browser.title(), "Ada is calling");
    workspace.calls.answer();
    const wire = library.phone.invite("Ada", { "X-Cordboard-Offer": "off_1", "X-Cordboard-Call": "call_1" });
    await settled();
    assert.deepEqual(wire.asked, ["answer"]);
    assert.equal(workspace.state.heard.value?.centre, "call_1");
    assert.equal(workspace.state.rings.value, undefined, "the bell is over before the gateway says so");
  });

  test("a call that comes while another one is there is refused as busy; a direct one was missed", async () => {
    const { library, workspace } = await signedIn("anna");
    const first = library.phone.invite("ben");
    workspace.calls.answer();
    await settled();
    assert.deepEqual(first.asked, ["answer"]);
    const queued = library.phone.invite("Ada", { "X-Cordboard-Offer": "off_1" });
    assert.deepEqual(queued.asked, ["rejectBusy"]);
    assert.equal(textOf(workspace), undefined);
    const direct = library.phone.invite("cleo");
    assert.deepEqual(direct.asked, ["rejectBusy"]);
    assert.match(textOf(workspace) ?? "", /cleo called while you were in a call/);
    assert.equal(workspace.state.heard.value?.call.peer, "ben");
  });

  test("the gateway calls a page into its own call: at once, in silence about the leg before, and into no other's", async () => {
    const { gateway, library, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "talking", "call_1")], calls: [call("call_1")] });
    const atOnce = (id: string) => ({ "Call-Info": "<x>;answer-after=0", "X-Cordboard-Call": id });
    const first = library.phone.invite("Ada", atOnce("call_1"));
    await settled();
    const second = library.phone.invite("Ada", atOnce("call_1"));
    await settled();
    assert.deepEqual([first.asked, second.asked], [["answer", "hangUp"], ["answer"]]);
    assert.equal(workspace.state.heard.value?.call.state.value, "answering");
    assert.equal(workspace.shell.notices.notice.value, undefined);
    const other = library.phone.invite("Bo", atOnce("call_2"));
    await settled();
    assert.deepEqual(other.asked, [], "a call that the same person supervises elsewhere");
  });

  test("called into a call without a microphone: the caller is not alone, and the microphone follows", async () => {
    const { library, workspace } = await signedIn("anna");
    browser.microphone = "NotFoundError";
    const wire = library.phone.invite("Ada", { "Call-Info": "<x>;answer-after=0", "X-Cordboard-Call": "call_1" });
    await settled();
    assert.deepEqual(wire.asked, ["answer"]);
    assert.equal(workspace.state.heard.value?.call.listening.value, true);
    assert.match(workspace.agentVoice.voice.trouble.value?.sentence ?? "", /No microphone/);
  });

  test("a call that is in no queue is not taken for the agent's queue call", async () => {
    const { gateway, workspace } = await signedIn("anna");
    const direct = call("call_9", { kind: "internal", queue: null, legs: [] });
    gateway.snapshot({ agents: [agent("anna", "direct", "call_9")], calls: [direct] });
    assert.equal(workspace.state.call.value, undefined);
  });

  test("another tab takes over: without a call the page steps back, with one it is loaded anew", async () => {
    const idle = await signedIn("anna");
    idle.gateway.snapshot({ agents: [agent("anna", "available")] }).say({ op: "superseded" });
    await settled();
    assert.equal(idle.workspace.shell.stage.value, "superseded");
    assert.equal(idle.reloads(), 0);
    assert.deepEqual(idle.library.phone.asked, ["start", "stop"]);
    idle.workspace.shell.takeOver();
    await settled();
    assert.equal(idle.workspace.shell.stage.value, "signed-in");
    assert.equal(idle.library.phones.length, 2);

    const talking = await signedIn("ben");
    talking.library.phone.invite("Ada", { "Call-Info": "<x>;answer-after=0" });
    await settled();
    talking.gateway.snapshot({}).say({ op: "superseded" });
    assert.equal(talking.reloads(), 1);
  });

  test("a sign-in that ends by itself leaves a call alone, and the phone gets other credentials", async () => {
    const { gateway, library, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "available")] });
    library.phone.invite("ben");
    workspace.calls.answer();
    await settled();
    gateway.answers.set("POST /auth/ticket", refusal(401, "invalid-token"));
    gateway.answers.set("POST /auth/refresh", refusal(401, "token-reused"));
    gateway.wire.onclose?.({ code: 1006 });
    mock.timers.tick(1000);
    await settled();
    assert.equal(workspace.shell.stage.value, "signed-in", "the form stands over the call");
    assert.equal(workspace.shell.signedIn, undefined);
    assert.match(workspace.shell.signInNote.value, /signed out/);
    gateway.answers.clear();
    await workspace.shell.signIn("anna", "cordboard");
    await settled();
    assert.equal(library.phones.length, 1);
    assert.deepEqual(library.phone.asked, ["start", "renew lent-1"]);
    assert.equal(workspace.state.heard.value?.call.peer, "ben");
  });

  test("a browser whose clock is decades off renews the phone's credentials as seldom as others", async () => {
    // The test's clock stands in 1970, and what is lent ends in 2099: more milliseconds than a timer can wait.
    const { gateway } = await signedIn("anna");
    for (let n = 0; n < 50; n += 1) {
      mock.timers.tick(100);
      await settled();
    }
    assert.equal(gateway.asked.filter((request) => request === "POST /me/sip-session").length, 1);
  });

  test("whoever cannot be signed out in a call stays; without a call the agent goes offline first", async () => {
    const { gateway, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "talking", "call_1")], calls: [call("call_1")] });
    gateway.answers.set("POST /auth/logout", refusal(503, "unavailable"));
    assert.equal(await workspace.signOut(), false);
    assert.equal(workspace.shell.stage.value, "signed-in");
    assert.equal(workspace.shell.notices.notice.value?.kind, "error");
    gateway.answers.clear();
    gateway.event("call.ended", { id: "call_1", record: { id: "rec_1", call: "call_1", agents: [{ id: "usr_anna" }] } });
    gateway.event("agent.changed", agent("anna", "available"));
    assert.equal(workspace.history.records.value.length, 1);
    assert.equal(await workspace.signOut(), true);
    assert.ok(gateway.asked.indexOf("PUT /me/agent/intent") < gateway.asked.lastIndexOf("POST /auth/logout"));
    assert.equal(workspace.history.records.value.length, 0);
    assert.equal(workspace.state.me.value, undefined);
  });

  test("keys go to the caller by the gateway in order, and to whoever is consulted in the audio", async () => {
    const { gateway, library, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "talking", "call_1")], calls: [call("call_1")] });
    const wire = library.phone.invite("Ada", { "Call-Info": "<x>;answer-after=0", "X-Cordboard-Call": "call_1" });
    await settled();
    for (const key of ["1", "#"]) workspace.calls.press(key);
    await settled();
    assert.equal(gateway.asked.filter((request) => request === "POST /calls/call_1/dtmf").length, 2);
    assert.equal(workspace.state.heard.value?.call.digits.value, "1#");
    gateway.event("call.changed", call("call_1", { state: "consulting", agent: "usr_anna" }));
    workspace.calls.press("5");
    assert.deepEqual(wire.asked, ["answer", "digit 5"]);
  });

  test("whoever has no microphone is asked before going online", async () => {
    const { gateway, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "offline")] });
    browser.microphone = "NotAllowedError";
    assert.equal(await workspace.availability.setIntent("available"), false);
    assert.ok(!gateway.asked.includes("PUT /me/agent/intent"));
    workspace.agentVoice.voice.trouble.value?.goOn();
    await settled();
    assert.ok(gateway.asked.includes("PUT /me/agent/intent"));
  });

  test("do not disturb and forwarding are the agent's own, and follow what is set elsewhere", async () => {
    const { gateway, workspace } = await signedIn("anna");
    gateway.snapshot({ agents: [agent("anna", "available")] });
    const { callHandling } = workspace;
    const settings = (do_not_disturb: boolean, always: string | null) => () =>
      Response.json({ do_not_disturb, forward: { always, no_answer_after: 20 }, from_file: false });
    assert.deepEqual([callHandling.undisturbed.value, callHandling.forwardedTo.value], [false, undefined]);
    gateway.answers.set("PUT /me/call-handling", settings(true, null));
    assert.equal(await callHandling.setUndisturbed(true), true);
    assert.equal(callHandling.undisturbed.value, true);
    gateway.answers.set("PUT /me/call-handling", settings(true, "030123"));
    assert.equal(await callHandling.forwardTo(" 030 123 "), true);
    assert.equal(callHandling.forwardedTo.value, "030123");
    assert.equal(await callHandling.forwardTo("  "), false, "no number");
    assert.equal(workspace.shell.notices.notice.value?.kind, "error");
    gateway.answers.set("PUT /me/call-handling", refusal(503, "unavailable"));
    assert.equal(await callHandling.setUndisturbed(false), false);
    assert.equal(callHandling.undisturbed.value, true, "as it is at the gateway");
    gateway.answers.set("GET /me/call-handling", settings(false, null));
    gateway.event("config.changed", { what: "call-handling" });
    await settled();
    assert.deepEqual([callHandling.undisturbed.value, callHandling.forwardedTo.value], [false, undefined]);
  });
});
