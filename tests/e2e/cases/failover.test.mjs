// A trunk with two servers, of which one dies in the middle of everything: sipp answers calls, Kamailio takes registrations.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { Gateway } from "../lib/cordboard.mjs";
import { Kamailio } from "../lib/kamailio.mjs";
import { listening } from "../lib/lateness.mjs";
import { folder, freePort, isBound, Program } from "../lib/process.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

/** Calls, how many of them begin in a second, and how long each is up, ms. */
const CALLS = 300;
const RATE = 50;
const TALK = 3_000;
/** Time that the servers take to answer, and that the gateway waits for one before it asks the other, ms. */
const ANSWER = 100;
const PATIENCE = 500;

const boss = `[[users]]
name = "boss"
password = "a long secret"
roles = "admin"
`;

const description = `v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
`;

/** Answers each call after a while, without a word before. */
const ANSWERS = `<?xml version="1.0"?>
<scenario name="answers">
<recv request="INVITE" crlf="true"/>
<pause milliseconds="${ANSWER}"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

${description}]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`;

/** Calls, talks, and hangs up; anything else is a failure. */
const CALLER = `<?xml version="1.0"?>
<scenario name="calls">
<send retrans="500" start_rtd="answer"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+4917012345@[local_ip]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Max-Forwards: 70
Contact: <sip:carrier@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

${description}]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rtd="answer" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause milliseconds="${TALK}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`;

const each = new Cleanup();
afterEach(() => each.run());

/** sipp with a scenario, and the folder that it writes into. */
function sipp(scenario, ip, port, ...args) {
  const path = folder(each);
  writeFileSync(join(path, "scenario.xml"), scenario);
  const all = ["-sf", "scenario.xml", "-i", ip, "-mi", ip, "-p", String(port), "-nostdin", "-trace_err", ...args];
  const program = new Program("sipp", all, { cwd: path });
  each.add(() => program.kill());
  return { program, path };
}

async function server(ip) {
  const port = await freePort(ip);
  const { program } = sipp(ANSWERS, ip, port, "-aa");
  await until("a server listens", () => isBound("udp", ip, port) || program.over);
  return { address: `${ip}:${port}`, program };
}

/** How long each call waited for its answer, ms, in the order of the answers. */
function waits(path) {
  const name = readdirSync(path).find((name) => name.endsWith("_rtt.csv"));
  const lines = readFileSync(join(path, name), "utf8").trim().split("\n").slice(1);
  return lines.map((line) => Number(line.split(";")[1]));
}

describe("a server that dies", () => {
  test(`with ${RATE} calls a second no call is lost, and none waits more than ${PATIENCE} ms more`, () =>
    listening(async () => {
      const [first, second] = [await server("127.0.0.3"), await server("127.0.0.4")];
      const gateway = await Gateway.start(
        each,
        `${boss}[[trunks]]
name = "in"
address = "127.0.0.2"
[[trunks]]
name = "out"
address = [{ host = "${first.address}" }, { host = "${second.address}", priority = 1 }]
options = 5
[[dial]]
match = "+4930."
from = "in"
trunk = "out"
`,
        { ports: 3_000 },
      );
      const port = await freePort("127.0.0.2");
      const { program, path } = sipp(
        CALLER,
        "127.0.0.2",
        port,
        ...["-s", "+4930123", "-r", String(RATE), "-m", String(CALLS), "-l", String(CALLS), "-timeout", "60s", "-timeout_error"],
        ...["-trace_rtt", "-rtt_freq", "1", "-default_behaviors", "-all", gateway.sip],
      );
      const answered = () => gateway.program.err.split("call answered").length - 1;
      await until("calls are up", () => answered() >= CALLS / 3, 20_000);
      await first.program.kill();
      const { code, out } = await program.end(60_000);
      assert.equal(code, 0, `${out.slice(-2_000)}\n${gateway.program.output().slice(-2_000)}`);
      const all = waits(path);
      assert.equal(all.length, CALLS, "every call was answered");
      const usual = [...all.slice(0, CALLS / 3)].sort((a, b) => a - b)[CALLS / 6];
      const most = Math.max(...all);
      assert.ok(most > usual + ANSWER / 4, `some call was on its way when the server died: ${usual} ms, at most ${most} ms`);
      assert.ok(most <= usual + PATIENCE + 100, `${usual} ms, at most ${most} ms`);
      const last = Math.max(...all.slice(-RATE));
      assert.ok(last <= usual + 100, `once it is known to be down nobody waits for it: ${usual} ms, ${last} ms`);
      const api = await Api.signIn(gateway, "boss", "a long secret");
      const { targets } = await api.ask("GET", "/trunks/out");
      assert.deepEqual(
        targets.map(({ state }) => state),
        ["down", "up"],
      );
    }));

  test("the registration is at the next one within two seconds", async () => {
    const [first, second] = [await Kamailio.start(each, { ip: "127.0.0.9" }), await Kamailio.start(each, { ip: "127.0.0.10" })];
    const gateway = await Gateway.start(
      each,
      `${boss}[[trunks]]
name = "carrier"
address = [{ host = "${first.address}" }, { host = "${second.address}", priority = 1 }]
transport = "tcp"
username = "account"
password = "open sesame"
register = { registrar = "carrier.test", expires = 60 }
[[dial]]
match = "0."
trunk = "carrier"
`,
    );
    await first.program.says(/REGISTERED account/);
    assert.equal(second.granted(), 0);
    const api = await Api.signIn(gateway, "boss", "a long secret");
    const began = Date.now();
    await first.program.kill();
    await second.program.says(/REGISTERED account/);
    const took = Date.now() - began;
    assert.ok(took <= 2_000, `${took} ms`);
    const registered = async () => (await api.ask("GET", "/trunks/carrier")).registration.state === "registered";
    await until("it is registered", registered);
  });
});
