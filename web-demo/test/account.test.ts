import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { credentialsFor, peerName, serverFor, settingsFrom, targetFor, trimmed } from "../src/account";

const place = (url: string) => new URL(url);

describe("account", () => {
  test("a first visit is demo user 1001 on JsSIP", () => {
    const settings = settingsFrom(place("http://127.0.0.1:8080/"), undefined);
    assert.deepEqual(settings, { user: "1001", password: "cordboard", displayName: "", domain: "", library: "jssip" });
  });

  test("the address bar wins over what was saved, and another user does not get the saved password", () => {
    const saved = { user: "1001", password: "secret", displayName: "Ann", library: "jssip" as const };
    const settings = settingsFrom(place("http://h/?user=1002&lib=sipjs"), saved);
    assert.deepEqual(settings, { user: "1002", password: "cordboard", displayName: "", domain: "", library: "sipjs" });
    assert.equal(settingsFrom(place("http://h/?user=1001"), saved).password, "secret");
    assert.equal(settingsFrom(place("http://h/?lib=other"), saved).library, "jssip");
  });

  test("the WebSocket is beside the page", () => {
    assert.equal(serverFor(place("http://127.0.0.1:8080/x?y")), "ws://127.0.0.1:8080/ws");
    assert.equal(serverFor(place("https://phone.example/")), "wss://phone.example/ws");
    assert.equal(serverFor(place("http://[::1]:8080/")), "ws://[::1]:8080/ws");
    assert.equal(serverFor(place("http://h/?ws=wss://other/ws")), "wss://other/ws");
    assert.equal(serverFor(place("http://h/?ws=javascript:alert(1)")), "ws://h/ws");
  });

  test("the domain is the host without its port, unless another is set", () => {
    const settings = settingsFrom(place("http://h/"), undefined);
    assert.equal(credentialsFor(settings, place("http://[::1]:8080/")).domain, "[::1]");
    assert.equal(credentialsFor({ ...settings, domain: "pbx.example" }, place("http://h/")).domain, "pbx.example");
  });
});

test("a name may hold blanks, and a password is taken as it is", () => {
  const typed = {
    user: " 1002 ",
    password: " a b ",
    displayName: " Ben  Miller ",
    domain: " pbx.example",
    library: "jssip" as const,
  };
  const kept = trimmed(typed);
  assert.deepEqual(kept, { ...typed, user: "1002", displayName: "Ben Miller", domain: "pbx.example" });
  assert.equal(credentialsFor({ ...kept, displayName: 'Ben "B" \\' }, place("http://h/")).displayName, "Ben B ");
});

describe("what a person types", () => {
  const cases: [string, string | undefined][] = [
    ["9196", "sip:9196@gw"],
    [" 0301 234-56 ", "sip:030123456@gw"],
    ["+49 (30) 12.34/5", "sip:+493012345@gw"],
    ["tel:+4930123", "sip:+4930123@gw"],
    ["anna", "sip:anna@gw"],
    ["anna.b-c", "sip:anna.b-c@gw"],
    ["*31#5", "sip:*31%235@gw"],
    ["sip:bob@example.org", "sip:bob@example.org"],
    ["bob@example.org", "sip:bob@example.org"],
    ["bob@", undefined],
    ["two words", undefined],
    ["<script>", undefined],
    ["a\r\nRoute: x", undefined],
    ["", undefined],
  ];
  for (const [typed, target] of cases) {
    test(JSON.stringify(typed), () => assert.equal(targetFor(typed, "gw"), target));
  }
});

test("others are shown by number where their host says nothing", () => {
  assert.equal(peerName("1002", "127.0.0.1", "localhost"), "1002");
  assert.equal(peerName("1002", "gw", "gw"), "1002");
  assert.equal(peerName("bob", "example.org", "gw"), "bob@example.org");
  assert.equal(peerName("*31%235", "gw", "gw"), "*31#5");
  assert.equal(peerName(undefined, undefined, "gw"), "unknown");
});
