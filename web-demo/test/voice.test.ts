import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createSoftphone } from "../src/softphone/softphone";
import { createPage } from "../src/ui/page";
import { PhoneRegistration } from "../src/voice/registration";
import { browser, freshBrowser, settled } from "./lib/browser";
import { testLibrary } from "./lib/phones";

/** A softphone that is signed in. */
async function ready() {
  const library = testLibrary();
  const softphone = createSoftphone(createPage(), library.load);
  softphone.start();
  await settled();
  library.phone.is({ state: "registered" });
  return { library, softphone, phone: library.phone };
}

describe("the softphone's calls", () => {
  beforeEach(() => {
    freshBrowser();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  });
  afterEach(() => mock.timers.reset());

  test("a call is made, answered and over, and then it is among the recent ones", async () => {
    const { softphone, phone } = await ready();
    await softphone.dial(" 9196 ");
    const [call] = softphone.voice.active.value;
    assert.equal(call?.peer, "9196");
    assert.equal(softphone.selected.value, call);
    assert.equal(phone.calls[0]?.peer, "sip:9196@gateway.test");
    phone.calls[0]?.listener.answered();
    assert.equal(browser.title(), "In a call · Cordboard");
    phone.calls[0]?.listener.ended({ by: "them" });
    assert.deepEqual(softphone.voice.calls.value, []);
    assert.match(softphone.notices.notice.value?.text ?? "", /Call with 9196 ended/);
    assert.deepEqual(
      softphone.recents.value.map(({ peer, outcome }) => [peer, outcome]),
      [["9196", ""]],
    );
    assert.equal(browser.open, 0, "the microphone is closed");
  });

  test("two softphones have nothing in common", async () => {
    const one = await ready();
    const two = await ready();
    await one.softphone.dial("9196");
    two.phone.invite("1002");
    assert.equal(one.softphone.voice.active.value.length, 1);
    assert.equal(one.softphone.voice.ringing.value.length, 0);
    assert.equal(two.softphone.voice.active.value.length, 0);
    assert.equal(two.softphone.voice.ringing.value.length, 1);
    one.softphone.notices.show("x");
    assert.equal(two.softphone.notices.notice.value, undefined);
  });

  test("whoever answers a second call has the first one on hold, and goes back to it", async () => {
    const { softphone, phone } = await ready();
    await softphone.dial("9196");
    phone.calls[0]?.listener.answered();
    const wire = phone.invite("1002");
    const [second] = softphone.voice.ringing.value;
    assert.ok(second);
    assert.equal(browser.title(), "1002 is calling");
    await softphone.voice.answer(second);
    wire.listener.answered();
    assert.deepEqual([wire.asked, phone.calls[0]?.asked], [["answer"], ["hold"]]);
    wire.listener.ended({ by: "them" });
    assert.equal(softphone.selected.value?.peer, "9196");
  });

  test("without a microphone the person is asked, and may go on without one", async () => {
    const { softphone, phone } = await ready();
    browser.microphone = "NotAllowedError";
    await softphone.dial("9196");
    assert.match(softphone.voice.trouble.value?.sentence ?? "", /blocked the microphone/);
    assert.equal(phone.calls.length, 0);
    softphone.voice.trouble.value?.goOn();
    assert.equal(softphone.voice.trouble.value, undefined);
    assert.equal(softphone.voice.active.value[0]?.listening.value, true);
    browser.microphone = undefined;
    await softphone.voice.changeMicrophone(softphone.sound.microphone.value);
    assert.equal(phone.calls.length, 1);
  });

  test("the caller who gave up while the microphone was opened is not answered", async () => {
    const { softphone, phone } = await ready();
    const wire = phone.invite("1002");
    const [call] = softphone.voice.ringing.value;
    assert.ok(call);
    const answering = softphone.voice.answer(call);
    wire.listener.ended({ by: "them", code: 487 });
    await answering;
    assert.deepEqual(wire.asked, []);
    assert.equal(browser.open, 0);
    assert.match(softphone.notices.notice.value?.text ?? "", /You missed a call from 1002/);
  });

  test("whoever did not get through finds the number where it was", async () => {
    const { softphone, phone } = await ready();
    softphone.number.value = "77";
    await softphone.dial("77");
    assert.equal(softphone.number.value, "");
    phone.calls[0]?.listener.ended({ by: "them", code: 486 });
    assert.deepEqual([softphone.number.value, softphone.failed.value], ["77", true]);
    softphone.press("5");
    assert.equal(softphone.number.value, "5");
  });

  test("another account ends the calls, and its registration takes the place of the one before", async () => {
    const { softphone, library, phone } = await ready();
    await softphone.dial("9196");
    softphone.saveSettings({ ...softphone.line.settings.value, user: "1002" });
    await settled();
    assert.deepEqual(phone.calls[0]?.asked, ["hangUp"]);
    assert.deepEqual(phone.asked, ["start", "stop"]);
    assert.equal(library.phone.credentials.user, "1002");
    phone.is({ state: "registered" });
    assert.equal(softphone.line.registration.value.state, "connecting", "the one before has nothing more to say");
  });
});

describe("a registration", () => {
  test("that is wanted no more makes no phone", async () => {
    const { createPhone } = await testLibrary().load();
    const credentials = { user: "a", password: "b", displayName: "", domain: "d", server: "ws://d" };
    const made: string[] = [];
    const line = new PhoneRegistration(() => assert.fail("no call came"));
    let go: () => void = () => undefined;
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    const equip = (user: string) => async () => {
      if (user === "slow") await waits;
      return {
        create: (...of: Parameters<typeof createPhone>) => {
          made.push(user);
          return createPhone(...of);
        },
        credentials,
      };
    };
    const slow = line.open(equip("slow"));
    const quick = line.open(equip("quick"));
    go();
    assert.deepEqual(await Promise.all([slow, quick]), [false, true]);
    assert.deepEqual(made, ["quick"]);
    await line.close();
    assert.equal(line.state.value, undefined);
  });

  test("of an account that cannot be used is refused", async () => {
    const line = new PhoneRegistration(() => undefined);
    const create = () => {
      throw new TypeError("not a SIP address");
    };
    const credentials = { user: " ", password: "", displayName: "", domain: "", server: "" };
    assert.equal(await line.open(async () => ({ create, credentials })), false);
    assert.equal(line.state.value?.state, "refused");
  });
});
