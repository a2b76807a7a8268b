import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { colleagues, found, numberIn } from "../src/agent/directory";
import { Drafts } from "../src/agent/drafts";
import { isTyping, keyName, meaningOf, SHORTCUTS } from "../src/agent/shortcuts";
import { ACTION } from "../src/agent/words";
import { Problem } from "../src/centre/problem";
import { isRepeatedPress } from "../src/ui/repeats";

const press = (key: string, more = {}) => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  repeat: false,
  ...more,
});

describe("shortcuts", () => {
  test("each has a key of its own and words", () => {
    assert.equal(new Set(SHORTCUTS.map(keyName)).size, SHORTCUTS.length);
    for (const { action } of SHORTCUTS) assert.ok(ACTION[action]);
  });

  test("keys mean actions, digits mean tones", () => {
    assert.deepEqual(meaningOf(press("a"), false, true), { action: "answer" });
    assert.deepEqual(meaningOf(press("A"), false, true), { action: "answer" }, "with caps lock");
    assert.deepEqual(meaningOf(press("E", { shiftKey: true }), false, true), { action: "hangup" });
    assert.equal(meaningOf(press("e"), false, true), undefined, "hanging up takes Shift");
    assert.equal(meaningOf(press("A", { shiftKey: true }), false, true), undefined);
    assert.deepEqual(meaningOf(press("5"), false, true), { digit: "5" });
    assert.deepEqual(meaningOf(press("#", { shiftKey: true }), false, true), { digit: "#" });
  });

  test("not while typing, not with other keys, not when switched off", () => {
    assert.equal(meaningOf(press("a"), true, true), undefined);
    assert.equal(meaningOf(press("?"), true, true), undefined);
    assert.equal(meaningOf(press("5"), true, true), undefined);
    for (const modifier of ["ctrlKey", "altKey", "metaKey", "repeat"]) {
      assert.equal(meaningOf(press("r", { [modifier]: true }), false, true), undefined);
    }
    assert.equal(meaningOf(press("a"), false, false), undefined);
    assert.deepEqual(meaningOf(press("?", { shiftKey: true }), false, false), { action: "help" });
  });

  test("a key that is held down presses nothing again, and writes on", () => {
    for (const key of ["Enter", " "]) {
      assert.ok(isRepeatedPress({ key, repeat: true }, false));
      assert.ok(!isRepeatedPress({ key, repeat: false }, false), "the first press is meant");
      assert.ok(!isRepeatedPress({ key, repeat: true }, true), "in the notes");
    }
    for (const key of ["Tab", "ArrowDown", "Backspace"]) assert.ok(!isRepeatedPress({ key, repeat: true }, false));
  });

  test("typing is what happens in fields of text", () => {
    assert.ok(isTyping({ tagName: "INPUT", type: "text" }));
    assert.ok(isTyping({ tagName: "TEXTAREA" }));
    assert.ok(isTyping({ tagName: "SELECT" }));
    assert.ok(isTyping({ tagName: "DIV", isContentEditable: true }));
    assert.ok(!isTyping({ tagName: "INPUT", type: "radio" }));
    assert.ok(!isTyping({ tagName: "BUTTON" }));
    assert.ok(!isTyping(null));
  });
});

describe("whom one can ask", () => {
  const agents = [
    { id: "usr_b", name: "ben", display: "Ben", status: "talking" as const },
    { id: "usr_a", name: "anna", display: "Anna", status: "available" as const },
    { id: "usr_c", name: "cleo", display: "Cleo", status: "offline" as const },
    { id: "usr_d", name: "dora", display: "Dora", status: "available" as const },
  ];
  const queues = [
    { id: "que_2", name: "Support" },
    { id: "que_1", name: "Sales" },
  ];

  test("those who can talk at once stand first, and oneself nowhere", () => {
    assert.deepEqual(
      colleagues("", agents, "usr_a").map(({ name }) => name),
      ["dora", "ben", "cleo"],
    );
    assert.deepEqual(
      colleagues("AN", agents, undefined).map(({ name }) => name),
      ["anna"],
    );
  });

  test("queues but the call's own, and numbers as they are typed", () => {
    assert.deepEqual(
      found("", agents, queues, "usr_a", "que_2").map(({ key }) => key),
      ["usr_d", "usr_b", "usr_c", "que_1"],
    );
    assert.deepEqual(found("+49 (30) 12-34", agents, queues, "usr_a", undefined), [
      { key: "number-+49301234", kind: "number", name: "+49301234", target: { number: "+49301234" } },
    ]);
    assert.deepEqual(found("zz", agents, queues, "usr_a", undefined), []);
  });

  test("a number has two digits at least", () => {
    assert.equal(numberIn("7"), undefined);
    assert.equal(numberIn("*7#"), "*7#");
    assert.equal(numberIn("10a"), undefined);
    assert.equal(numberIn("  "), undefined);
  });
});

describe("notes", () => {
  const drafts = (answers: (Error | undefined)[]) => {
    const sent: unknown[] = [];
    const kept: unknown[] = [];
    const put = async (call: string, body: unknown) => {
      sent.push([call, body]);
      const answer = answers.shift();
      if (answer) throw answer;
    };
    const timers = new Set<{ act(): void; ms: number }>();
    const after = (act: () => void, ms: number) => {
      const timer = { act, ms };
      timers.add(timer);
      return () => timers.delete(timer);
    };
    return { sent, timers, drafts: new Drafts(put, (all) => kept.push(all), {}, after) };
  };

  test("are sent when the keys are quiet, once", async () => {
    const { sent, timers, drafts: all } = drafts([]);
    all.edit("call_1", { notes: "a" });
    all.edit("call_1", { notes: "ab", disposition: "resolved" });
    assert.equal(sent.length, 0);
    assert.deepEqual(
      [...timers].map(({ ms }) => ms),
      [800],
      "the keys before have no timer any longer",
    );
    for (const { act } of timers) act();
    assert.deepEqual(sent, [["call_1", { notes: "ab", disposition: "resolved" }]]);
    assert.equal(await all.flush("call_1"), true, "it has nothing more to say");
  });

  test("what fails is kept and sent again; what is not ours any more waits for the end of the call", async () => {
    const { sent, drafts: all } = drafts([new Problem(0, "no-connection"), new Problem(404, "unknown-call")]);
    all.edit("call_1", { notes: "a" });
    assert.equal(await all.flush("call_1"), false);
    assert.equal(all.of("call_1").state, "failed");
    assert.equal(await all.flush("call_1"), false);
    assert.equal(all.of("call_1").state, "later");
    assert.equal(await all.flush("call_1"), true);
    assert.equal(all.of("call_1").state, "saved");
    assert.equal(await all.flush("call_1"), true);
    assert.equal(sent.length, 3, "nothing is sent that is saved");
  });

  test("the tab keeps the last ones, unsaved ones first", async () => {
    const { drafts: all } = drafts([]);
    all.edit("call_unsaved", { notes: "x" });
    for (let n = 0; n < 20; n++) {
      all.edit(`call_${n}`, { notes: "y" });
      await all.flush(`call_${n}`);
    }
    assert.equal(Object.keys(all.all.value).length, 10);
    assert.equal(all.of("call_unsaved").state, "typing");
    await all.flush("call_unsaved");
  });
});
