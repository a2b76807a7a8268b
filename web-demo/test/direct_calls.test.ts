import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import type { CallLeg, CentreCall } from "../src/centre/objects";
import { createPage } from "../src/ui/page";
import { PageVersion } from "../src/ui/shell/page_version";
import { directCalls, directions } from "../src/wallboard/direct_calls";
import { App } from "../src/wallboard/ui/app";
import { createWallboard } from "../src/wallboard/wallboard";
import { freshBrowser, settled } from "./lib/browser";
import { TestGateway } from "./lib/gateway";

const at = (second: number) => `2026-11-23T09:30:${String(second).padStart(2, "0")}.000Z`;

const call = (id: string, more: Partial<CentreCall> = {}): CentreCall => ({
  id,
  from: { number: "1001", display: "" },
  to: "1002",
  priority: 0,
  state: "talking",
  since: at(0),
  entered_at: at(0),
  parties: [],
  queue: null,
  ...more,
});

const leg = (id: string, more: Partial<CallLeg>): CallLeg => ({
  id,
  number: "",
  user: null,
  trunk: null,
  direction: "outgoing",
  browser: false,
  mode: "party",
  state: "up",
  ...more,
});

const anna = { id: "usr_anna", name: "Anna Berg" };

const inbound = call("call_in", {
  kind: "inbound",
  from: { number: "+49301234", display: "Ada" },
  to: "03099",
  since: at(5),
  answered_at: at(5),
  legs: [
    leg("1", { trunk: "carrier", number: "+49301234", direction: "incoming" }),
    leg("2", { user: anna, number: "anna", direction: "outgoing", browser: true }),
  ],
});
const transit = call("call_transit", {
  kind: "transit",
  from: { number: "+4940", display: "" },
  to: "+4950",
  state: "ringing",
  since: at(9),
  legs: [
    leg("1", { trunk: "pbx", number: "+4940", direction: "incoming" }),
    leg("2", { trunk: "carrier", number: "+4950", direction: "outgoing" }),
  ],
});
const queued = call("call_queue", { kind: "queue", queue: { id: "que_1", name: "Support" } });
/** As a gateway from before there were kinds. */
const plain = call("call_plain", { queue: { id: "que_1", name: "Support" } });

describe("calls that are in no queue", () => {
  test("are rows: who with whom, direction, trunk, state and since when; the oldest first", () => {
    assert.deepEqual(directCalls([transit, queued, inbound, plain]), [
      {
        id: "call_in",
        direction: "inbound",
        from: { name: "Ada", number: "+49301234", browser: false },
        to: [{ name: "Anna Berg", number: "anna", browser: true }],
        trunks: ["carrier"],
        state: "talking",
        since: at(5),
      },
      {
        id: "call_transit",
        direction: "transit",
        from: { name: "+4940", number: "", browser: false },
        to: [{ name: "+4950", number: "", browser: false }],
        trunks: ["pbx", "carrier"],
        state: "ringing",
        since: at(9),
      },
    ]);
  });

  test("that are parked have their slot, and the time since when they wait", () => {
    const parked = { ...inbound, parked: { slot: "701", by: "anna", since: at(20) } };
    const [row] = directCalls([parked]);
    assert.deepEqual([row?.parked, row?.since], ["701", at(20)]);
  });

  test("without legs show what the call itself says", () => {
    const [row] = directCalls([call("call_1", { kind: "internal" })]);
    assert.deepEqual(row?.from, { name: "1001", number: "", browser: false });
    assert.deepEqual(row?.to, [{ name: "1002", number: "", browser: false }]);
    assert.deepEqual(row?.trunks, []);
  });

  test("after a transfer show who is there now", () => {
    const given = call("call_1", {
      kind: "internal",
      legs: [
        leg("3", { user: { id: "usr_cleo", name: "Cleo" }, number: "cleo", direction: "outgoing" }),
        leg("4", { number: "+4930", trunk: "carrier", direction: "outgoing" }),
      ],
    });
    const [row] = directCalls([given]);
    assert.deepEqual([row?.from.name, row?.to.map(({ name }) => name)], ["Cleo", ["+4930"]]);
  });

  test("show everybody whom they ring", () => {
    const rings = call("call_1", {
      kind: "inbound",
      state: "ringing",
      legs: [
        leg("1", { trunk: "carrier", number: "1001", direction: "incoming" }),
        leg("2", { user: { id: "usr_ben", name: "Ben" }, number: "ben", direction: "outgoing" }),
        leg("3", { user: { id: "usr_cleo", name: "cleo" }, number: "cleo", direction: "outgoing", browser: true }),
        leg("4", { trunk: "carrier", number: "+49171", direction: "outgoing" }),
        leg("5", { user: { id: "usr_sue", name: "Sue" }, number: "sue", direction: "outgoing", mode: "listen" }),
      ],
    });
    assert.deepEqual(
      directCalls([rings])[0]?.to.map(({ name, number }) => [name, number]),
      [
        ["Ben", "ben"],
        ["cleo", ""],
        ["+49171", ""],
      ],
    );
    assert.deepEqual(directCalls([rings])[0]?.trunks, ["carrier"]);
  });

  test("are counted by direction; queue calls are not, and a direction that is not known yet counts as internal", () => {
    assert.deepEqual(directions([queued, plain]), []);
    const later = call("call_later", { kind: "paging" as never });
    assert.deepEqual(directions([transit, inbound, queued, later, { ...inbound, id: "call_in2" }]), [
      ["inbound", 2],
      ["internal", 1],
      ["transit", 1],
    ]);
  });
});

describe("the wallboard's panel of direct calls", () => {
  beforeEach(() => {
    freshBrowser();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  });
  afterEach(() => mock.timers.reset());

  const opened = async () => {
    const gateway = new TestGateway({ id: "usr_sue", name: "sue", roles: ["supervisor"] });
    const wallboard = createWallboard(createPage(), gateway.api, { version: new PageVersion(() => undefined) });
    await wallboard.start();
    await wallboard.shell.signIn("sue", "cordboard");
    await settled();
    return { gateway, html: () => renderToString(h(App, { wallboard })) };
  };

  test("is there while there are direct calls, with a header for each column and row", async () => {
    const { gateway, html } = await opened();
    gateway.snapshot({ calls: [queued, plain] });
    assert.match(html(), /id="agent-list"/);
    assert.doesNotMatch(html(), /direct-calls|Inbound/);
    gateway.event("call.changed", inbound);
    mock.timers.tick(1000);
    const table = html().match(/<table>.*<\/table>/)?.[0] ?? "";
    assert.deepEqual(
      [...table.matchAll(/<th scope="col">([^<]*)/g)].map(([, name]) => name),
      ["Caller", "Called", "Direction", "Trunk", "State", "Time"],
    );
    assert.equal(table.match(/<th scope="row">/g)?.length, 1);
    const text = table.replace(/<thead>.*<\/thead>/, "").replace(/<[^>]*>+/g, "|");
    assert.match(text, /Ada\|+\+49301234\|.*Anna Berg\|+anna\|.*in a browser.*Inbound\|+carrier\|+Talking\|/);
    assert.match(html(), /<dt>Direct calls<\/dt>.*title="Inbound".*Inbound <\/span>1</, "it counts in the head");
    gateway.event("call.ended", { id: inbound.id, record: { id: "rec_1", call: inbound.id, agents: [] } });
    assert.doesNotMatch(html(), /direct-calls|Inbound/);
  });
});
